"""Second looks: checking in Airflow some time after a role was given or removed.

The role can differ from the grant: a change may take a minute to appear in Airflow; roles are changed by hand, by DAG
files and at sign-in; databases are restored. A missing role of a live grant is restored, at most MAX_RESTORES times;
after that it is left to admins. A role that is back within REMOVED_AGAIN_FOR after the end of its grant is removed
again. If it is back later, somebody may have given it on purpose, so it is only reported.
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
"""Seconds from one look to the next. The looks at a live grant are after 10 s and 90 s; those at an ended one continue
until REMOVED_AGAIN_FOR is nearly over."""
LIVE_EVERY = timedelta(minutes=10)
ENDED_EVERY = timedelta(hours=1)
ENDED_FOR = timedelta(days=7)
REMOVED_AGAIN_FOR = timedelta(minutes=10)
SOON = timedelta(seconds=10)
MAX_RESTORES = 3


@dataclass(frozen=True)
class Seen:
    """The state in Airflow of the account that a grant was given to. roles: None if the account does not exist."""

    asked_at: datetime
    roles: frozenset[str] | None
    usable: bool = True
    name: str = ""
    id: str = ""

    def shows(self, role: str) -> bool:
        return self.roles is not None and role in self.roles


def due() -> QuerySet[Grant]:
    """The grants to look at now, longest due first."""
    rows = Grant.objects.filter(status__in=[G.ACTIVE, G.ENDED, G.FAILED], look_at__lte=clock.now())
    return rows.select_related("deployment", "beneficiary").order_by("look_at", "pk")


def begin(now: datetime) -> dict[str, Any]:
    """The columns that start the looks at a grant, or start them again."""
    return {"look_at": now + timedelta(seconds=LIVE_AFTER[0]), "looks": 0, "missing_since": None, "back_since": None}


def postpone(grant: Grant, *, by: timedelta) -> None:
    """Postpone a look that was not possible."""
    Grant.objects.filter(pk=grant.pk, look_at=grant.look_at).update(look_at=clock.now() + by)


def look(grant_id: int, seen: Seen) -> None:
    """Compare the state in Airflow with the grant, and act on a difference.

    Every change of a grant sets its next look to a later time. So a state that was read before `look_at` is outdated
    and is ignored.
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
    """The columns after a look. The count of looks stops when the gaps between them become constant, so it stays
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
    if (since := _operation_open_since(grant)) is not None:
        return columns | {"look_at": _soon(since)}
    if grant.given_again >= MAX_RESTORES:
        return columns | leave_to_admins(grant, trail)
    grant_changes.add_operation(RESTORE_ROLE, grant, by=None)
    _record(trail, Verb.GRANT_MISSING, grant, AuditEvent.Outcome.FAILED, times=grant.given_again)
    return columns | {"missing_since": grant.missing_since or clock.now()}


def _look_at_account(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    """Record when the account is deactivated or activated: nobody can use the roles of a deactivated account."""
    if seen.usable == (grant.unusable_since is None):
        return {}
    verb, outcome = (
        (Verb.GRANT_USABLE, AuditEvent.Outcome.SUCCESS)
        if seen.usable
        else (Verb.GRANT_UNUSABLE, AuditEvent.Outcome.FAILED)
    )
    _record(trail, verb, grant, outcome, airflow_user=seen.name)
    return {"unusable_since": None if seen.usable else clock.now()}


def _found_again(grant: Grant, trail: Trail) -> dict[str, Any]:
    if grant.missing_since is None and grant.left_at is None:
        return {}
    _record(trail, Verb.GRANT_FOUND_AGAIN, grant)
    return {"missing_since": None, "left_at": None, "failure": ""}


def leave_to_admins(grant: Grant, trail: Trail, *, why: str = "") -> dict[str, Any]:
    """Record that Gatehouse no longer restores the role. Returns the columns to set."""
    _record(trail, Verb.GRANT_LEFT_TO_ADMINS, grant, AuditEvent.Outcome.FAILED, times=grant.given_again, why=why)
    now = clock.now()
    return {"left_at": now, "missing_since": grant.missing_since or now, "failure": why}


# --- ended -----------------------------------------------------------------------------------------------------------
def _look_at_ended(grant: Grant, seen: Seen, trail: Trail) -> dict[str, Any]:
    if not seen.shows(grant.role):
        if grant.back_since is not None and _operation_open_since(grant) is None:
            _record(trail, Verb.GRANT_GONE_AGAIN, grant)
            return {"back_since": None}
        return {}
    others = requiring.grants_of(grant.beneficiary, grant.deployment).filter(role=grant.role).exclude(pk=grant.pk)
    if others.filter(status__in=REQUIRING).exists():
        return {"back_since": None}
    if others.filter(ended_at__gt=grant.ended_at, look_at__isnull=False).exists():
        return {"back_since": None, "look_at": None}  # only the grant that ended last is looked at
    since = _operation_open_since(grant, *others.filter(status=G.ENDING))
    if others.filter(
        ended_at__gte=seen.asked_at
    ).exists():  # queried last, because a removal may be settled between the queries
        return {"look_at": clock.now() + SOON}
    if since is not None:
        return {"look_at": _soon(since)}
    now = clock.now()
    if grant.ended_at and now - grant.ended_at <= REMOVED_AGAIN_FOR:
        grant_changes.add_operation(REMOVE_AGAIN, grant, by=None)
        _record(trail, Verb.GRANT_CAME_BACK, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": grant.back_since or now}
    if grant.back_since is None:
        _record(trail, Verb.GRANT_CAME_BACK_LATE, grant, AuditEvent.Outcome.FAILED)
        return {"back_since": now}
    return {}


def _operation_open_since(*grants: Grant) -> datetime | None:
    """The creation time of the oldest open operation for these grants; None if there is none."""
    rows = Operation.objects.filter(subject__in=[grant.ref for grant in grants], status__in=operations.OPEN)
    return rows.aggregate(since=Min("created_at"))["since"]


def _soon(since: datetime) -> datetime:
    """The time of the next look if an operation has waited since `since`: the longer it has waited, the later."""
    now = clock.now()
    return now + min(LIVE_EVERY, max(SOON, (now - since) / 2))


def _record(
    trail: Trail, verb: Verb, grant: Grant, outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS, **detail: Any
) -> None:
    grant_changes.record(trail, verb, None, grant, outcome=outcome, **detail)
