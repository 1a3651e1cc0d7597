"""Whether the portal does its work: overdue items, silent processes, wrong clocks.

Shown by `/health/ready` and the deployments page. It contains no names of people and no numbers of grants.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Min, QuerySet

from portal.access.models import Grant
from portal.airflow import states
from portal.approvals.models import Request
from portal.core import clock, durations
from portal.dags.models import RunRequest
from portal.operations import kinds, outbox, processes
from portal.operations.models import Operation, Process
from portal.operations.queries import OPEN

LATE = timedelta(seconds=15)
"""An item is overdue after this time: the timers run every second, and Airflow needs some time."""
TOO_LATE = timedelta(seconds=60)
"""After this time, an overdue item makes the portal not ready."""
TOO_LATE_TO_REMOVE = timedelta(minutes=3)
"""The same for a removal that no worker has begun. It is longer, because a removal waits while another change of the
same person is executed."""


@dataclass(frozen=True)
class Overdue:
    """`count` items of a kind; the oldest was due at `since`. urgent: it makes the portal not ready."""

    what: str
    count: int
    since: datetime
    urgent: bool

    def __str__(self) -> str:
        return f"{self.what}: {self.count}, the oldest due {durations.ago(self.since)}"


@dataclass(frozen=True)
class Readiness:
    """The result, in words. problems: why the portal is not ready. notes: what is wrong but leaves the portal ready."""

    overdue: list[Overdue]
    processes: list[Process]
    clocks: list[str]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def look() -> Readiness:
    """Check the portal now. Raises DatabaseError."""
    late, listed, clocks = overdue(), list(processes.living()), wrong_clocks()
    found = Readiness(late, listed, clocks)
    found.problems.extend(str(one) for one in late if one.urgent)
    found.notes.extend(str(one) for one in late if not one.urgent)
    heard = {process.name for process in listed if not processes.is_silent(process)}
    if "worker" not in heard:
        found.problems.append(
            "No worker sends a heartbeat: no access starts or ends, and nothing is changed in Airflow."
        )
    if "beat" not in heard:
        found.notes.append("Beat sends no heartbeat: only routine upkeep waits.")
    found.notes.extend(
        f"{process} sent its last heartbeat {durations.ago(process.seen_at)}."
        for process in listed
        if processes.is_silent(process)
    )
    found.notes.extend(clocks)
    return found


def overdue() -> list[Overdue]:
    """The overdue items by kind, the most urgent kind first."""
    now = clock.now()
    told = Operation.objects.filter(status__in=OPEN, alarmed_at__isnull=False)
    first = kinds.names(lambda kind: kind.first)
    removals = outbox.startable().filter(kind__in=first)
    others = outbox.startable().exclude(kind__in=first)
    G = Grant.Status
    return [
        *_late("Access past its end", Grant.objects.filter(status=G.ACTIVE), "ends_at", now, TOO_LATE),
        *_late("Removals not begun", removals, "not_before", now, TOO_LATE_TO_REMOVE),
        *_late("Removals that do not succeed", told, "created_at", now, None),
        *_late("Access not started", Grant.objects.filter(status=G.SCHEDULED), "starts_at", now, TOO_LATE),
        *_late("Runs not started", RunRequest.objects.filter(start_status="scheduled"), "start_at", now, TOO_LATE),
        *_late("Requests not lapsed", Request.objects.filter(closed_at=None), "lapses_at", now, TOO_LATE),
        *_late("Operations not begun", others, "not_before", now, None),
    ]


def _late(
    what: str,
    rows: QuerySet[Grant] | QuerySet[Request] | QuerySet[RunRequest] | QuerySet[Operation],
    due: str,
    now: datetime,
    bound: timedelta | None,
) -> Iterable[Overdue]:
    found = rows.order_by().filter(**{f"{due}__lte": now - LATE}).aggregate(count=Count("pk"), since=Min(due))
    if found["count"]:
        urgent = bound is not None and found["since"] <= now - bound
        yield Overdue(what, found["count"], found["since"], urgent)


def wrong_clocks() -> list[str]:
    """A sentence for each clock that differs notably from the database's."""
    said = {}
    for process in processes.living():
        ahead = process.ahead_ms / 1000
        if is_notable(ahead):
            said[f"host {process.host}"] = f"The clock of the host {process.host} is {apart(ahead)} the database's."
    for deployment in states.listed():
        seconds = states.state_of(deployment).clock_ahead
        if seconds is not None and is_notable(seconds):
            said[deployment.name] = f"The clock of Airflow on {deployment.name} is {apart(seconds)} the database's."
    return list(said.values())


def is_notable(ahead: float | None) -> bool:
    """Whether people should be told of this difference. ahead: in seconds; negative if the clock is behind."""
    return ahead is not None and abs(ahead) > clock.NOTABLE.total_seconds()


def apart(ahead: float) -> str:
    """`4.2 s ahead of`, `3 minutes behind`."""
    length = abs(ahead)
    said = f"{length:.1f} s" if length < 60 else durations.words(timedelta(seconds=round(length)))
    return f"{said} {'ahead of' if ahead > 0 else 'behind'}"
