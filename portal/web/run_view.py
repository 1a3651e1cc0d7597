"""What a run's page shows: the last known state, the tasks where Airflow answers, and how soon to look again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING
from urllib.parse import quote

from django.utils.dateparse import parse_datetime

from portal import clock
from portal.catalogue.models import Deployment
from portal.dags import live
from portal.dags.models import Run
from portal.operations import queries as operations
from portal.ui import tones

if TYPE_CHECKING:  # the shape alone; live asks Airflow
    from airflow_bridge.types import TaskInstance

WIDTH = 600  # of the bar, in its own units
ORDER = ("success", "skipped", "failed", "upstream_failed", "running", "queued")


@dataclass(frozen=True)
class Segment:
    """One stretch of the task bar."""

    state: str
    count: int
    x: int
    width: int

    @property
    def tone(self) -> str:
        return tones.of_state(self.state).tone


@dataclass(frozen=True)
class RunView:
    run: Run
    tasks: list[TaskInstance] = field(default_factory=list)
    asked: bool = False  # whether Airflow was asked for this answer
    problem: str = ""  # why it did not answer

    @property
    def elapsed(self) -> timedelta | None:
        if self.run.started_at is None:
            return None
        return (self.run.ended_at or clock.now()) - self.run.started_at

    @property
    def usual(self) -> timedelta | None:
        """The median time of the DAG's last successful runs."""
        state = getattr(self.run.dag, "state", None)
        took = [seconds for run in (state.last_runs if state else []) if (seconds := _seconds(run)) is not None]
        return timedelta(seconds=median(took)) if len(took) >= 3 else None

    @property
    def done(self) -> int:
        return sum(task.ended_at is not None for task in self.tasks)

    @property
    def failed(self) -> list[TaskInstance]:
        return [task for task in self.tasks if task.state == "failed"]

    @property
    def segments(self) -> list[Segment]:
        return _segments(self.tasks)

    @property
    def waits_for_unpause(self) -> bool:
        state = getattr(self.run.dag, "state", None)
        return not self.run.is_final and state is not None and bool(state.paused)

    @property
    def waiting(self) -> str:
        """Why it has not reached Airflow yet, in words."""
        return operations.why_waiting(self.run.operation) if self.run.operation else ""

    @property
    def away_since(self) -> datetime | None:
        deployment = self.run.dag.deployment
        return deployment.status_since if deployment.status == Deployment.Status.DOWN else None

    @property
    def airflow_url(self) -> str:
        deployment, dag = self.run.dag.deployment, quote(self.run.dag.dag_id, safe="")
        run = quote(self.run.dag_run_id, safe="")
        if deployment.api == Deployment.Api.V1:
            return f"{deployment.url}/dags/{dag}/grid?dag_run_id={run}"
        return f"{deployment.url}/dags/{dag}/runs/{run}"

    @property
    def look_again(self) -> int:
        """Seconds until the page should ask again; 0 when there is nothing more to come."""
        if self.run.is_final:
            return 0
        age = clock.now() - self.run.created_at
        if self.problem:
            return 10
        return 2 if age < timedelta(minutes=1) else 5 if age < timedelta(minutes=10) else 15


def last_known(run: Run) -> RunView:
    """Without asking Airflow."""
    return RunView(run)


def look(run: Run) -> RunView:
    """Ask Airflow for the run's state and its tasks; where it does not answer, the last known state with the words."""
    try:
        run = live.refresh(run)
        there = run.status != Run.Status.REQUESTED and not run.error
        return RunView(run, tasks=live.tasks(run) if there else [], asked=True)
    except live.Unavailable as error:
        return RunView(run, asked=True, problem=str(error))


def _seconds(run: dict[str, str | None]) -> float | None:
    start, end = parse_datetime(run.get("started_at") or ""), parse_datetime(run.get("ended_at") or "")
    return (end - start).total_seconds() if start and end and run.get("state") == "success" else None


def _segments(tasks: Iterable[TaskInstance]) -> list[Segment]:
    counts = Counter(task.state or "not started" for task in tasks)
    states = sorted(counts, key=lambda state: (ORDER.index(state) if state in ORDER else len(ORDER), state))
    total, at, found = sum(counts.values()), 0, []
    for state in states:
        upto = at + counts[state]
        x, end = round(WIDTH * at / total), round(WIDTH * upto / total)
        found.append(Segment(state, counts[state], x, max(end - x - 2, 1)))
        at = upto
    return found
