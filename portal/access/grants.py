"""The life of a grant: made by an approval, applied and ended by operations, ended early by people.

What workers report back of a grant is in `outcomes`; the two are the only writers of a grant's status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts.acting import acting
from accounts.models import User
from accounts.operator import person_of
from portal.access import at_once, holding
from portal.access.grant_changes import given, locked, put, record
from portal.access.models import AccessRequest, Grant
from portal.access.operation_names import GRANT_ROLE, RESTORE_ROLE, REVOKE_ROLE
from portal.access.permissions import check_can_hand_back, check_can_retry, check_can_revoke
from portal.access.states import GRANT
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement
from portal.core import clock, due, durations, refs
from portal.core.errors import Conflict, Refused
from portal.core.text_checks import clean_text

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
    now = clock.now()
    later = request.starts_at is not None and request.starts_at > now
    within = catalogue.policy(request.policy, request.policy_version).apply_within
    grant = Grant.objects.create(
        request=request,
        entitlement=request.entitlement,
        beneficiary=request.beneficiary,
        status=G.SCHEDULED if later else G.APPLYING,
        duration=duration,
        starts_at=request.starts_at,
        policy=request.policy,
        policy_version=request.policy_version,
        at_once=not request.stages.exists(),
        apply_by=None if later else now + within,
        **_names(request.entitlement),
    )
    if later:
        assert request.starts_at is not None
        record(trail, Verb.GRANT_SCHEDULED, None, grant, starts_at=request.starts_at.isoformat())
    else:
        put(GRANT_ROLE, grant, by=None)
    return grant


def start_due() -> int:
    """Apply the scheduled grants whose start has come; how many."""
    rows = Grant.objects.filter(status=G.SCHEDULED, starts_at__lte=clock.now())
    return due.each(rows.order_by("starts_at", "pk").values_list("pk", flat=True)[:200], _start)


def _start(grant_id: int) -> None:
    try:
        with recording() as trail:
            grant = locked(grant_id)
            holding.check_may_hold(grant)
            names = _names(grant.entitlement)  # nothing was given yet: it gives what is offered now
            assert grant.starts_at is not None
            # from its start, not from now: after an outage of Gatehouse it is given up, not given days late
            GRANT.move(grant, to=G.APPLYING, apply_by=_apply_by(grant, since=grant.starts_at), **names)
            put(GRANT_ROLE, grant, by=None)
            record(trail, Verb.GRANT_STARTED, None, grant, **given(grant))
    except Refused as refusal:
        let_go(grant_id=grant_id, refusal=refusal)


def expire_due() -> int:
    """Begin to take away the grants whose time is over; how many."""
    rows = Grant.objects.filter(status=G.ACTIVE, ends_at__lte=clock.now())
    return due.each(rows.order_by("ends_at", "pk").values_list("pk", flat=True)[:200], _expire)


def _expire(grant_id: int) -> None:
    end(grant_id, reason=Why.EXPIRED)


def revoke(*, grant_id: int, by: User, reason: str) -> Grant:
    """Take a grant away before its time. Raises Refused, Invalid without a reason, Conflict when it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = locked(grant_id)
        check_can_revoke(by, grant)
        reason = clean_text("reason", reason, required="Say why you revoke it. The holder reads this.")
        return end(grant_id, reason=Why.REVOKED, by=by, comment=reason)


def hand_back(*, grant_id: int, by: User) -> Grant:
    """Give one's own access back early. Raises Refused (`not_yours`), Conflict when it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = locked(grant_id)
        check_can_hand_back(by, grant)
        return end(grant_id, reason=Why.HANDED_BACK, by=by)


def end(grant: Grant | int, *, reason: Grant.EndReason, by: Actor | None = None, comment: str = "") -> Grant:
    """Begin a grant's end, whoever wants it; who may is the caller's to check. grant: the row or its key.

    A scheduled grant has ended with that; of any other an operation takes away what Airflow has. Writes the event of
    `reason`. Joins the caller's `recording`, if there is one. Raises Missing, Conflict when it is ending or has ended.
    """
    with recording() as trail:
        grant = locked(grant if isinstance(grant, int) else grant.pk)
        _check_can_end(grant)
        changes: dict[str, Any] = {"end_reason": reason, "end_comment": comment, "ended_by": person_of(by)}
        if grant.status == G.SCHEDULED:  # nothing is in Airflow yet
            GRANT.move(grant, to=G.ENDED, ended_at=clock.now(), **changes)
        else:
            GRANT.move(grant, to=G.ENDING, **changes)
            put(REVOKE_ROLE, grant, by=by)
        said: dict[str, Any] = {"reason": comment} if comment else {}
        record(trail, ENDS[reason], by, grant, **said)
    return grant


def mark_read(*, grant_id: int, by: User) -> Grant:
    """Its holder has read that somebody else ended it. A mark for the home page, so no event.

    Raises Refused (`not_yours`), Conflict when it has not been ended.
    """
    with acting(by, refusal=Verb.PAGE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = locked(grant_id)
        if by.pk != grant.beneficiary_id:
            raise Refused("Only the person who held it can mark this as read.", reason="not_yours")
        if not grant.end_reason:
            raise Conflict(f"{grant.ref} has not been ended.", reason="wrong_state")
        Grant.objects.filter(pk=grant.pk, end_read_at=None).update(end_read_at=clock.now())
    return grant


def retry(*, grant_id: int, by: User) -> Grant:
    """Try to apply a failed grant again, or to give again what was taken away in Airflow too often.

    Raises Refused, Conflict when it is neither.
    """
    about = Grant.objects.filter(pk=grant_id).values_list("beneficiary", flat=True)
    target = refs.ref(refs.GRANT, grant_id)
    with acting(by, refusal=Verb.GRANT_RETRY_REFUSED, target=target, about=about) as (trail, by):
        grant = locked(grant_id)
        check_can_retry(by, grant)
        if grant.status == G.ACTIVE and grant.can_be_tried_again:  # a tug of war with somebody in Airflow, begun anew
            Grant.objects.filter(pk=grant.pk).update(left_at=None, given_again=0, failure="")
            put(RESTORE_ROLE, grant, by=by)
        else:
            at_once.check_again(grant)
            again: dict[str, Any] = {
                "failure": "",
                "ended_at": None,
                "look_at": None,
                "apply_by": _apply_by(grant, since=clock.now()),
            }
            GRANT.move(grant, to=G.APPLYING, **again)
            put(GRANT_ROLE, grant, by=by)
        record(trail, Verb.GRANT_RETRIED, by, grant)
    return grant


def let_go(*, grant_id: int, refusal: Refused) -> None:
    """End a grant whose holder may not hold it any more, in the words of `refusal`. Raises Conflict when it is ending
    already."""
    reason = Why.LEAVER if refusal.reason == "inactive" else Why.NOT_ELIGIBLE
    end(grant_id, reason=reason, comment=refusal.detail)


def _names(entitlement: Entitlement) -> dict[str, Any]:
    """What a grant of it gives, as the grant keeps it."""
    columns = ("deployment", "role", "dag_id", "level")
    return {column: getattr(entitlement, column) for column in columns}


def _apply_by(grant: Grant, *, since: datetime) -> datetime:
    return since + catalogue.policy(grant.policy, grant.policy_version).apply_within


def _check_can_end(grant: Grant) -> None:
    if grant.status not in (G.ENDING, G.ENDED):
        return
    how = grant.get_end_reason_display() or "it could not be given"
    who = f" by {grant.ended_by.username}" if grant.ended_by else ""
    when = f" {durations.ago(grant.ended_at)}" if grant.ended_at else ""
    raise Conflict(f"{grant.ref} is {grant.get_status_display()} already: {how}{who}{when}.")
