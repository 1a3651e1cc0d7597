"""Permits: asking for one, using it for a run, and its end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import F, OuterRef, Q, QuerySet

from accounts import roles
from accounts.acting import acting
from accounts.credentials import sees_everybody
from accounts.models import User
from accounts.permissions import Permission
from portal.approvals import opening, principals
from portal.audit.record import Actor, Trail, recording
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Dag, Entitlement
from portal.core import clock, due, once, refs
from portal.core.errors import Conflict, Invalid, Missing, Refused
from portal.core.text_checks import clean_text
from portal.dags.models import Permit, PermitRequest, Run
from portal.dags.parameters.frozen import canonical
from portal.dags.permissions import check_can_ask, in_force, why_not_any_more
from portal.dags.permits.permit_bounds import broken, checked_bounds
from portal.dags.permits.permit_kind import PERMITS, permit_problems
from portal.dags.runs.states import PERMIT

S = Permit.Status


def ask(
    *,
    by: User,
    dag: Dag,
    bounds: Mapping[str, Any],
    runs: int,
    duration: timedelta,
    reason: str,
    ticket: str = "",
    key: str | None = None,
) -> PermitRequest:
    """Ask for a permit: `runs` runs of the DAG within `bounds` (see permit_bounds), for `duration` from the approval.

    The DAG's policy says who decides.
    key: of the form, as for a run. Raises Refused (`not_eligible`, `not_offered`, `no_approver`), Conflict
    (`already_open`), Invalid (`bounds`, `runs`, `duration`, `reason`, `ticket`).
    """
    with acting(by, refusal=Verb.REQUEST_SUBMIT_REFUSED, target=str(dag)) as (trail, by):
        dag = Dag.objects.select_related("deployment", "state").get(pk=dag.pk)
        check_can_ask(by, dag)
        key = once.bind(key, dag=dag.pk, bounds=bounds, runs=runs, duration=duration, reason=reason, ticket=ticket)
        if isinstance(sent := opening.sent_before(by, key), PermitRequest):
            return sent
        version = catalogue.version_in_force()
        if version is None or not dag.policy:
            raise Refused(f"Permits for {dag.dag_id} are not offered.", reason="not_offered")
        policy = catalogue.policy(dag.policy, version.number)
        request = PermitRequest(
            kind=PERMITS.name,
            requester=by,
            beneficiary=by,
            about=str(dag),
            deployment=dag.deployment,
            risk=Entitlement.Risk.MEDIUM,
            dag=dag,
            duration=duration,
            runs_wanted=runs,
            policy=dag.policy,
            policy_version=version.number,
            lapses_at=clock.now() + policy.pending_for,
        )
        wrong = permit_problems(request, policy, reason=reason, ticket=ticket)
        try:
            request.bounds_text = canonical(checked_bounds(bounds, dag))
        except Invalid as error:
            wrong |= error.fields
        if wrong:
            raise Invalid(wrong)
        request.reason, request.ticket = clean_text("reason", reason), clean_text("ticket", ticket)
        if policy.stages:
            principals.check_enough(policy.stages, without={by.pk})
        request = opening.open_request(
            request, key=key, stages=policy.stages, trail=trail, **PERMITS.own_terms(request)
        )
        if not policy.stages and not request.sent_again:
            opening.grant_at_once(request, trail=trail)
    return request


def active(holder: User) -> QuerySet[Permit]:
    """The permits of a person that have not ended; those that end first come first."""
    rows = Permit.objects.filter(holder=holder, status=S.ACTIVE, ends_at__gt=clock.now(), used__lt=F("runs_allowed"))
    return rows.select_related("dag__deployment", "dag__state", "request").order_by("ends_at", "pk")


def by_dag(holder: User) -> dict[int, list[Permit]]:
    """The permits of a person that have not ended, by the primary key of the DAG in the catalogue in force.

    A permit for a DAG of a renamed deployment allows the DAG under the new name.
    """
    found: dict[int, list[Permit]] = {}
    for permit in active(holder):
        if (dag := in_force(permit.dag)) is not None:
            found.setdefault(dag.pk, []).append(permit)
    return found


def used_words(permit: Permit) -> str:
    """`1 of 3 runs is used, 2 are left.`"""
    verb = "is" if permit.used == 1 else "are"
    runs = "run" if permit.runs_allowed == 1 else "runs"
    left = "is" if permit.left == 1 else "are"
    return f"{permit.used} of {permit.runs_allowed} {runs} {verb} used, {permit.left} {left} left."


def why_unusable(permit: Permit) -> str:
    """In words, why the catalogue in force does not let the holder use the permit; empty if it does."""
    return why_not_any_more(permit.holder.username, permit.dag, "trigger", approved=True)


def visible_to(user: User) -> QuerySet[Permit]:
    """A person's own permits and those of requests where they are an approver, newest first. People who may see all
    access see all."""
    rows = Permit.objects.select_related("dag__deployment", "holder", "request", "ended_by")
    if sees_everybody(user):
        return rows
    return rows.filter(Q(holder=user) | principals.approver_filter(user, OuterRef("request")))


def permit_for(user: User, pk: int) -> Permit:
    """Raises Missing, with the same words for a permit that does not exist and one that `user` may not see."""
    permit = visible_to(user).filter(pk=pk).first()
    if permit is None:
        raise refs.not_found(refs.PERMIT, pk)
    return permit


def use(by: User, dag: Dag, conf: Mapping[str, Any]) -> Permit:
    """Count a run with these parameters on one of the person's permits. Inside the caller's transaction.

    Raises Refused (`outside_permit`) with the bound that is broken.
    """
    why = ""
    for permit in by_dag(by).get(dag.pk, []):
        if found := broken(permit.bounds, conf, dag):
            why = why or f"{permit.ref} does not allow this run: {found}"
            continue
        usable = Permit.objects.filter(pk=permit.pk, status=S.ACTIVE, ends_at__gt=clock.now())
        if usable.filter(used__lt=F("runs_allowed")).update(used=F("used") + 1) == 1:
            return Permit.objects.select_related("dag__deployment", "holder").get(pk=permit.pk)
    why = why or "Your permits are used up or have ended."
    raise Refused(f"{why} Ask for an approval of this run instead.", reason="outside_permit")


def record_use(permit: Permit, *, run_ref: str, trail: Trail) -> None:
    """Record that a run was started with the permit. The last one uses it up."""
    event = _record(trail, Verb.PERMIT_USED, permit.holder, permit, run=run_ref, used=permit.used)
    event["about"].append(run_ref)
    if permit.left == 0:
        PERMIT.move(permit, to=S.USED_UP, ended_at=clock.now())
        _record(trail, Verb.PERMIT_USED_UP, None, permit)


def revoke(*, permit_id: int, by: User, reason: str) -> Permit:
    """End a permit early: by an approver of its request or an admin with a reason, or by its holder.

    A permit that is used up, or whose time is over, can be revoked while a run of it waits for its start.
    Raises Refused (`not_an_approver`), Invalid (`reason`), Conflict if it has ended.
    """
    target = refs.ref(refs.PERMIT, permit_id)
    with acting(by, refusal=Verb.PERMIT_REVOKE_REFUSED, target=target) as (trail, by):
        permit = _locked(permit_id)
        check_can_revoke(by, permit)
        required = "" if by.pk == permit.holder_id else "Say why you revoke it. The holder reads this."
        reason = clean_text("reason", reason, required=required)
        if not can_be_revoked(permit):
            raise Conflict(f"{permit.ref} is already {permit.get_status_display()}.")
        PERMIT.move(permit, to=S.REVOKED, ended_at=clock.now(), ended_by=by, end_comment=reason)
        _record(trail, Verb.PERMIT_REVOKED, by, permit, reason=reason)
    return permit


def can_be_revoked(permit: Permit) -> bool:
    """Whether there is something to stop: runs that could still be asked for, or one that waits for its start."""
    return permit.status == S.ACTIVE or (permit.status != S.REVOKED and waiting(permit).exists())


def waiting(permit: Permit) -> QuerySet[Run]:
    """The runs that were requested with the permit, and not started yet."""
    return Run.objects.filter(permit=permit, status=Run.Status.REQUESTED).order_by("pk")


def check_can_revoke(by: User, permit: Permit) -> None:
    """Raises Refused (`not_an_approver`)."""
    if by.pk == permit.holder_id or roles.has(by, Permission.REVOKE_ANY):
        return
    if not (principals.is_named_in(by, permit.request) and roles.has(by, Permission.DECIDE)):
        raise Refused(
            "Only its holder, an approver of the request or an admin can revoke this permit.", reason="not_an_approver"
        )


def expire_due() -> int:
    """End the permits whose time is over. Returns their number."""
    rows = Permit.objects.filter(status=S.ACTIVE, ends_at__lte=clock.now())
    return due.each(rows.order_by("ends_at", "pk").values_list("pk", flat=True)[:200], _expire)


def _expire(permit_id: int) -> None:
    with recording() as trail:
        permit = _locked(permit_id)
        PERMIT.move(permit, to=S.EXPIRED, ended_at=clock.now())
        _record(trail, Verb.PERMIT_EXPIRED, None, permit)


def _locked(permit_id: int) -> Permit:
    rows = Permit.objects.select_for_update(of=("self",)).select_related("dag__deployment", "holder", "request")
    try:
        return rows.get(pk=permit_id)
    except Permit.DoesNotExist:
        raise Missing(f"There is no permit {refs.ref(refs.PERMIT, permit_id)}.") from None


def _record(trail: Trail, verb: Verb, by: Actor | None, permit: Permit, **detail: object) -> Entry:
    where = permit.dag.deployment.name
    return trail.add(
        verb,
        by=by,
        target=permit.ref,
        about=[permit.ref, refs.deployment(where), refs.person(permit.holder.username)],
        detail={"dag": permit.dag.dag_id, "holder": permit.holder.username, **detail},
    )
