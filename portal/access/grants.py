"""Creating and ending grants: an approval creates a grant, operations apply and end it, and people can end it early.

The results of operations are in `outcomes`. Only these two modules change the status of a grant.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts.acting import acting
from accounts.models import User
from accounts.operator import person_of
from portal.access import at_once, holding
from portal.access.grant_changes import add_operation, given_detail, locked, record
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
END_VERBS: Mapping[str, Verb] = {
    Why.EXPIRED: Verb.GRANT_EXPIRED,
    Why.REVOKED: Verb.GRANT_REVOKED,
    Why.HANDED_BACK: Verb.GRANT_HANDED_BACK,
    Why.LEAVER: Verb.GRANT_LEAVER,
    Why.NOT_ELIGIBLE: Verb.GRANT_NOT_ELIGIBLE,
}
"""By the reason for the end, the verb of the event with which the end begins."""


def create(request: AccessRequest, *, duration: timedelta, trail: Trail) -> Grant:
    """Create the grant of an approved request, inside the transaction of the approval. It is applied now or scheduled
    for its start."""
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
        **_copied_columns(request.entitlement),
    )
    if later:
        assert request.starts_at is not None
        record(trail, Verb.GRANT_SCHEDULED, None, grant, starts_at=request.starts_at.isoformat())
    else:
        add_operation(GRANT_ROLE, grant, by=None)
    return grant


def start_due() -> int:
    """Apply the scheduled grants whose start is due. Returns their number."""
    rows = Grant.objects.filter(status=G.SCHEDULED, starts_at__lte=clock.now())
    return due.each(rows.order_by("starts_at", "pk").values_list("pk", flat=True)[:200], _start)


def _start(grant_id: int) -> None:
    try:
        with recording() as trail:
            grant = locked(grant_id)
            holding.check_may_hold(grant)
            names = _copied_columns(
                grant.entitlement
            )  # nothing was granted yet, so the role that is offered now counts
            assert grant.starts_at is not None
            # counted from the start, not from now: after a long outage the grant fails instead of being applied days
            # late
            GRANT.move(grant, to=G.APPLYING, apply_by=_apply_by(grant, since=grant.starts_at), **names)
            add_operation(GRANT_ROLE, grant, by=None)
            record(trail, Verb.GRANT_STARTED, None, grant, **given_detail(grant))
    except Refused as refusal:
        end_refused(grant_id=grant_id, refusal=refusal)


def expire_due() -> int:
    """Begin to end the grants whose time is over. Returns their number."""
    rows = Grant.objects.filter(status=G.ACTIVE, ends_at__lte=clock.now())
    return due.each(rows.order_by("ends_at", "pk").values_list("pk", flat=True)[:200], _expire)


def _expire(grant_id: int) -> None:
    end(grant_id, reason=Why.EXPIRED)


def revoke(*, grant_id: int, by: User, reason: str) -> Grant:
    """End a grant early. Raises Refused, Invalid without a reason, Conflict if it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = locked(grant_id)
        check_can_revoke(by, grant)
        reason = clean_text("reason", reason, required="Say why you revoke it. The holder reads this.")
        return end(grant_id, reason=Why.REVOKED, by=by, comment=reason)


def hand_back(*, grant_id: int, by: User) -> Grant:
    """End one's own grant early. Raises Refused (`not_yours`), Conflict if it has ended."""
    with acting(by, refusal=Verb.GRANT_REVOKE_REFUSED, target=refs.ref(refs.GRANT, grant_id)) as (_, by):
        grant = locked(grant_id)
        check_can_hand_back(by, grant)
        return end(grant_id, reason=Why.HANDED_BACK, by=by)


def end(grant: Grant | int, *, reason: Grant.EndReason, by: Actor | None = None, comment: str = "") -> Grant:
    """Begin to end a grant. The caller checks the permission. grant: the row or its primary key.

    A scheduled grant ends at once. For any other grant, an operation removes the role in Airflow. Records the event of
    `reason`. Joins the caller's `recording`, if there is one. Raises Missing, and Conflict if it is ending or has
    ended.
    """
    with recording() as trail:
        grant = locked(grant if isinstance(grant, int) else grant.pk)
        _check_can_end(grant)
        changes: dict[str, Any] = {"end_reason": reason, "end_comment": comment, "ended_by": person_of(by)}
        if grant.status == G.SCHEDULED:  # nothing is in Airflow yet
            GRANT.move(grant, to=G.ENDED, ended_at=clock.now(), **changes)
        else:
            GRANT.move(grant, to=G.ENDING, **changes)
            add_operation(REVOKE_ROLE, grant, by=by)
        detail: dict[str, Any] = {"reason": comment} if comment else {}
        record(trail, END_VERBS[reason], by, grant, **detail)
    return grant


def mark_read(*, grant_id: int, by: User) -> Grant:
    """Store that the holder has read that the grant was ended. Only the home page uses this, so it is not an event.

    Raises Refused (`not_yours`), Conflict if the grant has not been ended.
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
    """Apply a failed grant again, or restore a role that was removed in Airflow too often to be restored automatically.

    Raises Refused, and Conflict if the grant is in neither state.
    """
    about = Grant.objects.filter(pk=grant_id).values_list("beneficiary", flat=True)
    target = refs.ref(refs.GRANT, grant_id)
    with acting(by, refusal=Verb.GRANT_RETRY_REFUSED, target=target, about=about) as (trail, by):
        grant = locked(grant_id)
        check_can_retry(by, grant)
        if (
            grant.status == G.ACTIVE and grant.can_be_tried_again
        ):  # the automatic restoring starts again, with a count of 0
            Grant.objects.filter(pk=grant.pk).update(left_at=None, given_again=0, failure="")
            add_operation(RESTORE_ROLE, grant, by=by)
        else:
            at_once.check_again(grant)
            again: dict[str, Any] = {
                "failure": "",
                "ended_at": None,
                "look_at": None,
                "apply_by": _apply_by(grant, since=clock.now()),
            }
            GRANT.move(grant, to=G.APPLYING, **again)
            add_operation(GRANT_ROLE, grant, by=by)
        record(trail, Verb.GRANT_RETRIED, by, grant)
    return grant


def end_refused(*, grant_id: int, refusal: Refused) -> None:
    """End a grant whose holder may no longer hold it. The message of `refusal` is the reason. Raises Conflict if it is
    already ending."""
    reason = Why.LEAVER if refusal.reason == "inactive" else Why.NOT_ELIGIBLE
    end(grant_id, reason=reason, comment=refusal.detail)


def _copied_columns(entitlement: Entitlement) -> dict[str, Any]:
    """The columns that a grant copies from its entitlement."""
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
    raise Conflict(f"{grant.ref} is already {grant.get_status_display()}: {how}{who}{when}.")
