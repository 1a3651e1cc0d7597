"""Who may do what to a request or a grant. Every rule raises Refused with its reason; `why_not` gives the words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from accounts import people, roles
from accounts.models import User
from accounts.permissions import Permission
from portal.access.models import AccessRequest, Grant, Stage, StageApprover
from portal.airflow import states
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core.errors import Refused

Thing = TypeVar("Thing")


def why_not(check: Callable[[User, Thing], None], by: User, thing: Thing) -> str:
    """The reason why `by` may not, in words; empty when they may."""
    try:
        check(by, thing)
    except Refused as refusal:
        return refusal.detail
    return ""


def check_can_receive(person: User, entitlement: Entitlement, policy: PolicySpec, *, speaks_to: User) -> None:
    """Whether the policy lets `person` be given this. Reasons: `not_offered`, `not_possible`, `inactive`,
    `not_eligible`."""
    check_offered(entitlement)
    deployment = entitlement.deployment
    if why := states.why_not(deployment, "users"):
        raise Refused(
            f"Airflow on {deployment.name} cannot give roles through Gatehouse: {why}.", reason="not_possible"
        )
    check_eligible(person, policy, speaks_to=speaks_to)


def check_offered(entitlement: Entitlement) -> None:
    if entitlement.retired_at is not None or entitlement.deployment.retired_at is not None:
        raise Refused(f"{entitlement.key} is no longer offered.", reason="not_offered")


def check_eligible(person: User, policy: PolicySpec, *, speaks_to: User | None = None) -> None:
    """Whether `person` can sign in and the policy names them. Reasons: `inactive`, `not_eligible`."""
    if not person.is_active:
        raise Refused(f"{person.username} can no longer sign in.", reason="inactive")
    if not people.is_one_of(person, policy.may_request):
        offered = ", ".join(subject_words(subject) for subject in policy.may_request)
        who = "You are" if person == speaks_to else f"{person.username} is"
        raise Refused(f"{who} not allowed to request this. It is offered to {offered}.", reason="not_eligible")


def subject_words(subject: str) -> str:
    """`group:data` as people say it: “group data”; `user:lead` as “lead”."""
    kind, _, name = subject.partition(":")
    return f"group {name}" if kind == "group" else name


def is_own(by: User, request: AccessRequest) -> bool:
    return by.pk in (request.requester_id, request.beneficiary_id)


def check_can_decide(by: User, request: AccessRequest) -> None:
    """Whether `by` may decide the stage now open. Reasons: `own_request`, `not_an_approver`, `already_decided`.

    Says nothing about the request's state; the action does. Membership is read now, not when somebody signed in.
    """
    if not by.is_active:
        raise Refused("This account can no longer sign in.", reason="inactive")
    if by.pk == request.requester_id:
        raise Refused("This is your own request. Someone else must decide it.", reason="own_request")
    if by.pk == request.beneficiary_id:
        raise Refused("This request is for you. Someone else must decide it.", reason="own_request")
    if request.decisions.filter(by=by).exists():
        raise Refused("You have already decided this request. Each person decides once.", reason="already_decided")
    stage = request.stages.filter(status=Stage.Status.OPEN).first()
    subjects = list(stage.approvers.values_list("subject", flat=True)) if stage else []
    if not people.is_one_of(by, subjects):
        named = ", ".join(subject_words(subject) for subject in subjects) or "nobody"
        raise Refused(f"You are not an approver of this step; {named} decides.", reason="not_an_approver")


def check_can_withdraw(by: User, request: AccessRequest) -> None:
    if not is_own(by, request):
        raise Refused("Only the person who asked, or the person it is for, can withdraw a request.", reason="not_yours")


def is_named_in(by: User, request: AccessRequest) -> bool:
    """Whether `by` is an approver of any step of this request."""
    approvers = StageApprover.objects.filter(stage__request=request, folded__in=people.subjects_of(by))
    return approvers.exists()


def check_can_revoke(by: User, grant: Grant) -> None:
    """Approvers of its request and those who may end any grant. One's own is handed back instead."""
    if by.pk == grant.beneficiary_id:
        raise Refused("This is your own access. Hand it back instead.", reason="own_grant")
    if roles.has(by, Permission.REVOKE_ANY):
        return
    if not (roles.has(by, Permission.DECIDE) and is_named_in(by, grant.request)):
        raise Refused("Only an approver of the request or an admin can revoke this grant.", reason="not_an_approver")


def check_can_hand_back(by: User, grant: Grant) -> None:
    if by.pk != grant.beneficiary_id:
        raise Refused("Only the person who holds it can hand it back.", reason="not_yours")


def check_can_retry(by: User, grant: Grant) -> None:
    if not roles.has(by, Permission.REPAIR):
        raise Refused("Only a platform admin can try a failed grant again.", reason="not_permitted")
    if by.pk == grant.beneficiary_id:
        raise Refused("This is your own access. Another admin must try it again.", reason="own_grant")
