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

from django.db.models import QuerySet

from portal import clock
from portal.access import grant_changes, requiring
from portal.access.models import Grant
from portal.access.states import REQUIRING
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, recording
from portal.audit.verbs import Verb
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
    """Compare what Airflow showed with what the grant says, and do what follows from it."""
    with recording() as trail:
        grant = grant_changes.locked(grant_id)
        if grant.look_at is None or _has_moved(grant, seen):
            return
        if grant.status == G.ACTIVE:
            columns = _look_at_live(grant, seen, trail)
        elif grant.status in (G.ENDED, G.FAILED):
            columns = _look_at_ended(grant, seen, trail)
        else:
            return
        Grant.objects.filter(pk=grant.pk).update(**{"looks": grant.looks + 1, **_next(grant), **columns})


def _has_moved(grant: Grant, seen: Seen) -> bool:
    """Whether it changed after Airflow was asked: what was seen may be older than that."""
    return any(moment is not None and moment >= seen.asked_at for moment in (grant.verified_at, grant.ended_at))


def _next(grant: Grant) -> dict[str, Any]:
    now, live = clock.now(), grant.status == G.ACTIVE
    gaps = LIVE_AFTER if live else ENDED_AFTER
    if grant.looks + 1 < len(gaps):
        return {"look_at": now + timedelta(seconds=gaps[grant.looks + 1])}
    if not live and grant.ended_at and now - grant.ended_at > ENDED_FOR:
        return {"look_at": None}
    return {"look_at": now + (LIVE_EVERY if live else ENDED_EVERY)}


# --- live ------------------------------------------------------------------------------------------------------------
def _look_at_live(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    columns: dict[str, Any] = {}
    if seen.roles is not None:
        columns |= {"airflow_user": seen.name, "airflow_user_id": seen.id or grant.airflow_user_id}
    if seen.shows(grant.role):
        return columns | _look_at_account(grant, seen, trail) | _found_again(grant, trail)
    if grant.left_at is not None:
        return columns
    if _is_worked_on(grant):
        return columns | {"look_at": clock.now() + SOON}
    if grant.given_again >= MOST:
        return columns | leave_to_admins(grant, trail)
    grant_changes.put(Operation.Kind.RESTORE_ROLE, grant, by=None)
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
        if grant.back_since is not None and not _is_worked_on(grant):
            _say(trail, Verb.GRANT_GONE_AGAIN, grant)
            return {"back_since": None}
        return {}
    others = requiring.grants_of(grant.beneficiary, grant.deployment).filter(role=grant.role).exclude(pk=grant.pk)
    if others.filter(status__in=REQUIRING).exists():
        return {"back_since": None}
    if others.filter(ended_at__gt=grant.ended_at, look_at__isnull=False).exists():
        return {"back_since": None, "look_at": None}  # the last one to end is the one to look at
    if others.filter(status=G.ENDING).exists() or others.filter(ended_at__gte=seen.asked_at).exists():
        return {"look_at": clock.now() + SOON}
    if _is_worked_on(grant):
        return {"look_at": clock.now() + SOON}
    now = clock.now()
    if grant.ended_at and now - grant.ended_at <= COMES_BACK:
        grant_changes.put(Operation.Kind.REMOVE_AGAIN, grant, by=None)
        _say(trail, Verb.GRANT_CAME_BACK, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": grant.back_since or now}
    if grant.back_since is None:
        _say(trail, Verb.GRANT_CAME_BACK_LATE, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": now}
    return {}


def _is_worked_on(grant: Grant) -> bool:
    return operations.of_subject(grant.ref).filter(status__in=operations.OPEN).exists()


def _say(
    trail: Trail, verb: Verb, grant: Grant, outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS, **detail: Any
) -> None:
    grant_changes.record(trail, verb, None, grant, outcome=outcome, **detail)
