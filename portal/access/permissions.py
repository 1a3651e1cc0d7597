"""Permissions to receive access, and for actions on grants. Every check raises Refused with a reason."""

from __future__ import annotations

from accounts import people, roles
from accounts.models import User
from accounts.permissions import Permission
from portal.access.models import Grant
from portal.airflow import states
from portal.approvals import principals
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core.errors import Refused


def check_can_receive(person: User, entitlement: Entitlement, policy: PolicySpec, *, speaks_to: User) -> None:
    """Check that `person` may receive this entitlement under the policy. Reasons: `not_offered`, `not_possible`,
    `inactive`, `not_eligible`."""
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
    """Check that `person` can sign in and that the policy names them. Reasons: `inactive`, `not_eligible`."""
    if not person.is_active:
        raise Refused(f"{person.username} can no longer sign in.", reason="inactive")
    if not people.is_one_of(person, policy.may_request):
        offered = principals.words(policy.may_request)
        who = "You are" if person == speaks_to else f"{person.username} is"
        raise Refused(f"{who} not allowed to request this. It is offered to {offered}.", reason="not_eligible")


def check_can_revoke(by: User, grant: Grant) -> None:
    """For approvers of the request and people who may end any grant. One's own grant is handed back instead."""
    if by.pk == grant.beneficiary_id:
        raise Refused("This is your own access. Hand it back instead.", reason="own_grant")
    if roles.has(by, Permission.REVOKE_ANY):
        return
    is_approver = grant.request is not None and principals.is_named_in(by, grant.request)
    if not (is_approver and roles.has(by, Permission.DECIDE)):
        raise Refused("Only an approver of the request or an admin can revoke this grant.", reason="not_an_approver")


def check_can_hand_back(by: User, grant: Grant) -> None:
    if by.pk != grant.beneficiary_id:
        raise Refused("Only the person who holds it can hand it back.", reason="not_yours")


def check_can_retry(by: User, grant: Grant) -> None:
    if not roles.has(by, Permission.REPAIR):
        raise Refused("Only a platform admin can try a failed grant again.", reason="not_permitted")
    if by.pk == grant.beneficiary_id:
        raise Refused("This is your own access. Another admin must try it again.", reason="own_grant")
