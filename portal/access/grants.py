"""The life of a grant: made by an approval, applied and ended by operations, ended early by people.

What a worker reports back (`confirm_active`, `confirm_ended`, `confirm_failed`) is written here too, inside the
worker's settling transaction, so that a grant's status has one home.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accounts.acting import acting
from accounts.models import User
from accounts.operator import person_of
from portal import clock, durations, refs
from portal.access import due, entry
from portal.access.models import AccessRequest, Grant
from portal.access.permissions import check_can_hand_back, check_can_retry, check_can_revoke
from portal.access.states import GRANT
from portal.audit.models import AuditEvent
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.errors import Conflict, Missing, Refused
from portal.operations import outbox
from portal.operations.models import Operation

G, Why = Grant.Status, Grant.EndReason
ENDS: Mapping[str, Verb] = {
    Why.EXPIRED: Verb.GRANT_EXPIRED,
    Why.REVOKED: Verb.GRANT_REVOKED,
    Why.HANDED_BACK: Verb.GRANT_HANDED_BACK,
    Why.LEAVER: Verb.GRANT_LEAVER,
    Why.NOT_ELIGIBLE: Verb.GRANT_NOT_ELIGIBLE,
}
"""The event of each way in which a grant's end begins."""


def create(request: AccessRequest, *, duration: timedelta, trail: Trail) -> Grant:
    """The grant of an approved request, inside the approving transaction: applied now, or scheduled for its start."""
    later = request.starts_at is not None and request.starts_at > clock.now()
    grant = Grant.objects.create(
        request=request,
        entitlement=request.entitlement,
        beneficiary=request.beneficiary,
        status=G.SCHEDULED if later else G.APPLYING,
        deployment=request.entitlement.deployment,
        role=request.entitlement.role,
        dag_id=request.entitlement.dag_id,
        level=request.entitlement.level,
        duration=duration,
        starts_at=request.starts_at,
    )
    if later:
        assert request.starts_at is not None
        _record(trail, Verb.GRANT_SCHEDULED, None, grant, starts_at=request.starts_at.isoformat())
    else:
        _put(Operation.Kind.GRANT_ROLE, grant, by=None)
    return grant


def start_due() -> int:
    """Apply the scheduled grants whose start has come; how many."""
    rows = Grant.objects.filter(status=G.SCHEDULED, starts_at__lte=clock.now())
    return due.each(rows.order_by("starts_at", "pk").values_list("pk", flat=True)[:200], _start)


def _start(grant_id: int) -> None:
    with recording() as trail:
        grant = _locked(grant_id)
        GRANT.move(grant, to=G.APPLYING)
        _put(Operation.Kind.GRANT_ROLE, grant, by=None)
        _record(trail, Verb.GRANT_STARTED, None, grant)


def expire_due() -> int:
    """Begin to take away the grants whose time is over; how many."""
    rows = Grant.objects.filter(status=G.ACTIVE, ends_at__lte=clock.now())
    return due.each(rows.order_by("ends_at", "pk").values_list("pk", flat=True)[:200], _expire)


def _expire(grant_id: int) -> None:
    end(grant_id=grant_id, reason=Why.EXPIRED)


def revoke(*, grant_id: int, by: User, reason: str) -> Grant:
    """Take a grant away before its time. Raises Refused, Invalid without a reason, Conflict when it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = _locked(grant_id)
        check_can_revoke(by, grant)
        reason = entry.clean_text("reason", reason, required="Say why you revoke it: its holder reads this.")
        return end(grant_id=grant_id, reason=Why.REVOKED, by=by, comment=reason)


def hand_back(*, grant_id: int, by: User) -> Grant:
    """Give one's own access back early. Raises Refused (`not_yours`), Conflict when it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = _locked(grant_id)
        check_can_hand_back(by, grant)
        return end(grant_id=grant_id, reason=Why.HANDED_BACK, by=by)


def end(*, grant_id: int, reason: Grant.EndReason, by: Actor | None = None, comment: str = "") -> Grant:
    """Begin a grant's end, whoever wants it; who may is the caller's to check.

    A scheduled grant has ended with that; of any other an operation takes away what Airflow has. Writes the event of
    `reason`. Joins the caller's `recording`, if there is one. Raises Missing, Conflict when it is ending or has ended.
    """
    with recording() as trail:
        grant = _locked(grant_id)
        _check_can_end(grant)
        changes: dict[str, Any] = {"end_reason": reason, "end_comment": comment, "ended_by": person_of(by)}
        if grant.status == G.SCHEDULED:  # nothing is in Airflow yet
            GRANT.move(grant, to=G.ENDED, ended_at=clock.now(), **changes)
        else:
            GRANT.move(grant, to=G.ENDING, **changes)
            _put(Operation.Kind.REVOKE_ROLE, grant, by=by)
        said: dict[str, Any] = {"reason": comment} if comment else {}
        _record(trail, ENDS[reason], by, grant, **said)
    return grant


def mark_read(*, grant_id: int, by: User) -> Grant:
    """Its holder has read that somebody else ended it. A mark for the home page, so no event.

    Raises Refused (`not_yours`), Conflict when it has not been ended.
    """
    with acting(by, refusal=Verb.PAGE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = _locked(grant_id)
        if by.pk != grant.beneficiary_id:
            raise Refused("Only the person who held it can mark this as read.", reason="not_yours")
        if not grant.end_reason:
            raise Conflict(f"{grant.ref} has not been ended.", reason="wrong_state")
        Grant.objects.filter(pk=grant.pk, end_read_at=None).update(end_read_at=clock.now())
    return grant


def retry(*, grant_id: int, by: User) -> Grant:
    """Try to apply a failed grant again. Raises Refused, Conflict when it has not failed."""
    with acting(by, refusal=Verb.GRANT_RETRY_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (trail, by):
        grant = _locked(grant_id)
        check_can_retry(by, grant)
        GRANT.move(grant, to=G.APPLYING, failure="")
        _put(Operation.Kind.GRANT_ROLE, grant, by=by)
        _record(trail, Verb.GRANT_RETRIED, by, grant)
    return grant


def confirm_active(grant: Grant, *, operation: Operation, trail: Trail) -> None:
    """Airflow shows the role: the grant's time runs from now. Raises Conflict when it was ended meanwhile."""
    now = clock.now()
    GRANT.move(grant, to=G.ACTIVE, verified_at=now, ends_at=now + grant.duration, failure="")
    times: dict[str, Any] = {"verified_at": now.isoformat(), "ends_at": (now + grant.duration).isoformat()}
    _record(trail, Verb.GRANT_ACTIVATED, None, grant, operation, **times)


def confirm_ended(grant: Grant, *, operation: Operation, trail: Trail) -> None:
    """Airflow no longer shows the role (or another live grant requires it)."""
    GRANT.move(grant, to=G.ENDED, ended_at=clock.now())
    _record(trail, Verb.GRANT_ENDED, None, grant, operation, end_reason=grant.end_reason)


def confirm_failed(grant: Grant, *, why: str, operation: Operation, trail: Trail) -> None:
    """It could not be applied, in words. Raises Conflict when it was ended meanwhile."""
    GRANT.move(grant, to=G.FAILED, failure=why)
    _record(trail, Verb.GRANT_FAILED, None, grant, operation, outcome=AuditEvent.Outcome.FAILED, why=why)


def lane(deployment: Deployment, person: User) -> str:
    """Airflow replaces a person's whole role list at once, so their changes go one after another."""
    return f"roles/{deployment.name}/{person.pk}"


def _check_can_end(grant: Grant) -> None:
    if grant.status not in (G.ENDING, G.ENDED):
        return
    how = grant.get_end_reason_display()
    who = f" by {grant.ended_by.username}" if grant.ended_by else ""
    when = f" {durations.ago(grant.ended_at)}" if grant.ended_at else ""
    raise Conflict(f"{grant.ref} is {grant.get_status_display()} already: {how}{who}{when}.")


def _put(kind: Operation.Kind, grant: Grant, *, by: Actor | None) -> Operation:
    deployment = grant.deployment
    return outbox.put(
        kind,
        deployment=deployment,
        subject=grant.ref,
        lane=lane(deployment, grant.beneficiary),
        payload={"grant": grant.pk},
        by=by,
    )


def _locked(grant_id: int) -> Grant:
    rows = Grant.objects.select_for_update(of=("self",)).select_related(
        "beneficiary", "ended_by", "deployment", "entitlement", "request__requester"
    )
    try:
        return rows.get(pk=grant_id)
    except Grant.DoesNotExist:
        raise Missing(f"There is no grant {refs.ref(refs.GRANT, grant_id)}.") from None


def _record(
    trail: Trail,
    verb: Verb,
    by: Actor | None,
    grant: Grant,
    operation: Operation | None = None,
    outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
    **detail: object,
) -> None:
    trail.add(
        verb,
        by=by,
        target=grant.ref,
        outcome=outcome,
        deployment=grant.deployment.name,
        request=grant.request.ref,
        grant=grant.ref,
        operation=operation.ref if operation else "",
        detail={"entitlement": grant.entitlement.key, "beneficiary": grant.beneficiary.username, **detail},
    )
