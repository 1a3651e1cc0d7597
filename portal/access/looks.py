"""Second looks: what Airflow shows of a grant some time after the role was given or taken away.

A change may reach Airflow a minute after it was sent; roles are changed by hand, by DAG files and at sign-in; databases
are restored. What a live grant requires is given again, at most MOST times; then it is left to admins. What comes back
within COMES_BACK of its grant's end is taken away again; what comes back later may be somebody's decision: it is
reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Min, QuerySet

from portal.access import grant_changes, requiring
from portal.access.models import Grant
from portal.access.operation_names import REMOVE_AGAIN, RESTORE_ROLE
from portal.access.states import REQUIRING
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
from portal.core import clock
from portal.operations import queries as operations
from portal.operations.models import Operation

G = Grant.Status
LIVE_AFTER = (10, 80)
ENDED_AFTER = (10, 80, 150, 180, 150)
"""Seconds from one look to the next: after 10 s and 90 s, and of what has ended until COMES_BACK is nearly over."""
LIVE_EVERY = timedelta(minutes=10)
ENDED_EVERY = timedelta(hours=1)
ENDED_FOR = timedelta(days=7)
COMES_BACK = timedelta(minutes=10)
SOON = timedelta(seconds=10)
MOST = 3


@dataclass(frozen=True)
class Seen:
    """What Airflow showed of the account that a grant was given to. roles: None where it has no such account."""

    asked_at: datetime
    roles: frozenset[str] | None
    usable: bool = True
    name: str = ""
    id: str = ""

    def shows(self, role: str) -> bool:
        return self.roles is not None and role in self.roles


def due() -> QuerySet[Grant]:
    """The grants to look at now, those that have waited longest first."""
    rows = Grant.objects.filter(status__in=[G.ACTIVE, G.ENDED, G.FAILED], look_at__lte=clock.now())
    return rows.select_related("deployment", "beneficiary").order_by("look_at", "pk")


def begin(now: datetime) -> dict[str, Any]:
    """The columns with which the looks at a grant begin (again)."""
    return {"look_at": now + timedelta(seconds=LIVE_AFTER[0]), "looks": 0, "missing_since": None, "back_since": None}


def postpone(grant: Grant, *, by: timedelta) -> None:
    """It could not be looked at."""
    Grant.objects.filter(pk=grant.pk, look_at=grant.look_at).update(look_at=clock.now() + by)


def look(grant_id: int, seen: Seen) -> None:
    """Compare what Airflow showed with what the grant says, and do what follows from it.

    Whatever changes a grant sets its next look to a later time: an answer from before that is older than the grant.
    """
    with recording() as trail:
        grant = grant_changes.locked(grant_id)
        if grant.look_at is None or grant.look_at > seen.asked_at:
            return
        if grant.status == G.ACTIVE:
            columns = _look_at_live(grant, seen, trail)
        elif grant.status in (G.ENDED, G.FAILED):
            columns = _look_at_ended(grant, seen, trail)
        else:
            return
        Grant.objects.filter(pk=grant.pk).update(**{**_next(grant), **columns})


def _next(grant: Grant) -> dict[str, Any]:
    """The columns after a look. Looks are counted as far as the gaps between them differ, so that the count stays
    small."""
    now, live = clock.now(), grant.status == G.ACTIVE
    gaps = LIVE_AFTER if live else ENDED_AFTER
    looks = min(grant.looks + 1, len(gaps))
    if looks < len(gaps):
        return {"looks": looks, "look_at": now + timedelta(seconds=gaps[looks])}
    if not live and grant.ended_at and now - grant.ended_at > ENDED_FOR:
        return {"looks": looks, "look_at": None}
    return {"looks": looks, "look_at": now + (LIVE_EVERY if live else ENDED_EVERY)}


# --- live ------------------------------------------------------------------------------------------------------------
def _look_at_live(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if seen.roles is not None:
        columns |= {"airflow_user": seen.name, "airflow_user_id": seen.id or grant.airflow_user_id}
    if seen.shows(grant.role):
        return columns | _look_at_account(grant, seen, trail) | _found_again(grant, trail)
    if grant.left_at is not None:
        return columns
    if (since := _worked_on_since(grant)) is not None:
        return columns | {"look_at": _soon(since)}
    if grant.given_again >= MOST:
        return columns | leave_to_admins(grant, trail)
    grant_changes.put(RESTORE_ROLE, grant, by=None)
    _say(trail, Verb.GRANT_MISSING, grant, AuditEvent.Outcome.FAILED, times=grant.given_again)
    return columns | {"missing_since": grant.missing_since or clock.now()}


def _look_at_account(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    """Nobody can use what a deactivated account holds."""
    if seen.usable == (grant.unusable_since is None):
        return {}
    verb, outcome = (
        (Verb.GRANT_USABLE, AuditEvent.Outcome.SUCCESS)
        if seen.usable
        else (Verb.GRANT_UNUSABLE, AuditEvent.Outcome.FAILED)
    )
    _say(trail, verb, grant, outcome, airflow_user=seen.name)
    return {"unusable_since": None if seen.usable else clock.now()}


def _found_again(grant: Grant, trail: Trail) -> dict[str, Any]:
    if grant.missing_since is None and grant.left_at is None:
        return {}
    _say(trail, Verb.GRANT_FOUND_AGAIN, grant)
    return {"missing_since": None, "left_at": None, "failure": ""}


def leave_to_admins(grant: Grant, trail: Trail, *, why: str = "") -> dict[str, Any]:
    """The columns of a grant that Gatehouse gives again no more."""
    _say(trail, Verb.GRANT_LEFT_TO_ADMINS, grant, AuditEvent.Outcome.FAILED, times=grant.given_again, why=why)
    now = clock.now()
    return {"left_at": now, "missing_since": grant.missing_since or now, "failure": why}


# --- ended -----------------------------------------------------------------------------------------------------------
def _look_at_ended(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    if not seen.shows(grant.role):
        if grant.back_since is not None and _worked_on_since(grant) is None:
            _say(trail, Verb.GRANT_GONE_AGAIN, grant)
            return {"back_since": None}
        return {}
    others = requiring.grants_of(grant.beneficiary, grant.deployment).filter(role=grant.role).exclude(pk=grant.pk)
    if others.filter(status__in=REQUIRING).exists():
        return {"back_since": None}
    if others.filter(ended_at__gt=grant.ended_at, look_at__isnull=False).exists():
        return {"back_since": None, "look_at": None}  # the last one to end is the one to look at
    since = _worked_on_since(grant, *others.filter(status=G.ENDING))
    if others.filter(ended_at__gte=seen.asked_at).exists():  # asked last: a removal may be settled between questions
        return {"look_at": clock.now() + SOON}
    if since is not None:
        return {"look_at": _soon(since)}
    now = clock.now()
    if grant.ended_at and now - grant.ended_at <= COMES_BACK:
        grant_changes.put(REMOVE_AGAIN, grant, by=None)
        _say(trail, Verb.GRANT_CAME_BACK, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": grant.back_since or now}
    if grant.back_since is None:
        _say(trail, Verb.GRANT_CAME_BACK_LATE, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": now}
    return {}


def _worked_on_since(*grants: Grant) -> datetime | None:
    """When the oldest open operation for any of these was put; None where there is none."""
    rows = Operation.objects.filter(subject__in=[grant.ref for grant in grants], status__in=operations.OPEN)
    return rows.aggregate(since=Min("created_at"))["since"]


def _soon(since: datetime) -> datetime:
    """When to look again at what an operation that waits `since` is about to change: ever later the longer it waits."""
    now = clock.now()
    return now + min(LIVE_EVERY, max(SOON, (now - since) / 2))


def _say(
    trail: Trail, verb: Verb, grant: Grant, outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS, **detail: Any
) -> None:
    grant_changes.record(trail, verb, None, grant, outcome=outcome, **detail)
