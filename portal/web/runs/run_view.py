"""The data of a run's page: the stored state and tasks, and when to load them again. Airflow is not called."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from django.utils.dateparse import parse_datetime

from accounts.models import User
from portal.airflow.pages import run_page
from portal.airflow.states import state_of, why_unreadable
from portal.catalogue import airflows
from portal.catalogue.models import Dag, Deployment
from portal.core import clock
from portal.core.errors import why_not
from portal.dags import preflight
from portal.dags.models import Run, RunTasks
from portal.dags.operation_names import RUN_CHANGES
from portal.dags.permissions import check_can_change_run, in_force
from portal.dags.queries import Switched, switched
from portal.dags.runs import results, tasks
from portal.dags.runs.tasks import TaskRow
from portal.operations import queries as operations
from portal.operations.models import Operation
from portal.ui import tones
from portal.web.runs import failure, values
from portal.web.runs.failure import Attempt
from portal.web.runs.values import Value

WIDTH = 600  # of the task bar, in units of its view box
ORDER = ("success", "skipped", "failed", "upstream_failed", "running", "queued")


@dataclass(frozen=True)
class Segment:
    """A segment of the task bar."""

    state: str
    count: int
    x: int
    width: int

    @property
    def tone(self) -> str:
        return tones.of_state(self.state).tone


CHART = 240  # of the chart of durations, in units of its view box


@dataclass(frozen=True)
class Bar:
    """When a task ran, as a part of the whole run."""

    x: int
    width: int
    tone: str


@dataclass(frozen=True)
class ResultRow:
    name: str
    value: str
    problem: str

    @property
    def link(self) -> str:
        return results.link(self.value)


@dataclass(frozen=True)
class RunView:
    """A run as the worker last read it, for one reader."""

    run: Run
    reader: User | None = None

    @property
    def title(self) -> str:
        """Of the browser's tab: `sales_report failed, RUN-1`."""
        return f"{self.run.dag.dag_id} {self.run.get_status_display()}, {self.run.ref}"

    @property
    def known(self) -> RunTasks | None:
        """The tasks; None if they were not read yet."""
        tasks: RunTasks | None = getattr(self.run, "tasks", None)
        return tasks if tasks is not None and tasks.seen_at is not None else None

    @property
    def rows(self) -> list[TaskRow]:
        return self.known.rows if self.known else []

    @property
    def tasks_problem(self) -> str:
        """Why the last reading of the tasks failed."""
        tasks: RunTasks | None = getattr(self.run, "tasks", None)
        return tasks.problem if tasks is not None else ""

    @property
    def has_tasks(self) -> bool:
        """Whether the run can have tasks: it is, or was, in Airflow."""
        return self.run.seen_at is not None

    @property
    def elapsed(self) -> timedelta | None:
        if self.run.started_at is None:
            return None
        return (self.run.ended_at or clock.now()) - self.run.started_at

    @property
    def usual(self) -> timedelta | None:
        """The median duration of the DAG's last successful runs."""
        state = getattr(self.dag or self.run.dag, "state", None)
        return preflight.usual(state.last_runs) if state else None

    @property
    def expected_end(self) -> datetime | None:
        """When the run would end if it takes as long as usual; None if that is unknown, or past."""
        if self.run.is_final or self.run.started_at is None or self.usual is None:
            return None
        expected = self.run.started_at + self.usual
        return expected if expected > clock.now() else None

    @cached_property
    def failure(self) -> Attempt | None:
        """The task that failed first."""
        return failure.first(self.run, self.rows)

    @property
    def results(self) -> list[ResultRow]:
        found = self.known.results if self.known and self.run.status == Run.Status.SUCCESS else []
        return [ResultRow(**row) for row in found]

    @property
    def values(self) -> list[Value]:
        return values.of_run(self.run, getattr(self.dag or self.run.dag, "state", None))

    @cached_property
    def change(self) -> Operation | None:
        """The last cancel or retry of the run; None if there is none."""
        return operations.of_subject(self.run.ref).filter(kind__in=RUN_CHANGES).last()

    @property
    def changing(self) -> Operation | None:
        """The cancel or retry that is not done yet."""
        return self.change if self.change is not None and not self.change.is_settled else None

    @property
    def change_failed(self) -> Operation | None:
        """The last cancel or retry if it failed."""
        return self.change if self.change is not None and self.change.status == Operation.Status.FAILED else None

    @property
    def changing_waits(self) -> str:
        return operations.why_waiting(self.changing) if self.changing else ""

    @property
    def why_not_cancel(self) -> str:
        return self._why_not("cancel")

    @property
    def why_not_retry(self) -> str:
        return self._why_not("retry")

    def _why_not(self, action: str) -> str:
        return why_not(check_can_change_run, self.reader, self.run, action) if self.reader else "Sign in first."

    @property
    def can_be_retried(self) -> bool:
        """Whether the run is in a state in which its tasks can run again."""
        return self.run.is_final and self.run.gone_at is None and self.run.seen_at is not None and not self.changing

    @property
    def may_retry(self) -> bool:
        """Whether the reader can retry the failed tasks now."""
        return self.run.status == Run.Status.FAILED and self.can_be_retried and not self.why_not_retry

    @property
    def can_be_cancelled(self) -> bool:
        return not self.run.is_final and not self.changing

    @property
    def task_rows(self) -> list[tuple[TaskRow, Bar | None, str]]:
        """Each task, with its bar in the chart of durations and the address of its newest log."""
        began = [moment for row in self.rows if (moment := parse_datetime(row.get("began") or ""))]
        ended = [moment for row in self.rows if (moment := parse_datetime(row.get("ended") or ""))]
        if not began:
            return [(row, None, self._log_of(row)) for row in self.rows]
        first = min(began)
        total = max(((max(ended) if ended and self.run.is_final else clock.now()) - first).total_seconds(), 0.001)
        return [(row, _bar(row, first, total), self._log_of(row)) for row in self.rows]

    def _log_of(self, row: TaskRow) -> str:
        index = row.get("first_failed")
        if not row["tries"] or (row["mapped"] and index is None):
            return ""
        return failure.log_url(
            self.run, row["task"], index if row["mapped"] and index is not None else -1, row["tries"]
        )

    @property
    def progress(self) -> str:
        """`3 of 4 succeeded, 1 failed`."""
        counts = tasks.counted(self.rows)
        others = {state: number for state, number in counts.items() if state != "success"}
        said = f"{counts['success']} of {counts.total()} succeeded"
        return f"{said}, {tasks.in_words(others)}" if others else said

    @property
    def failed(self) -> str:
        return tasks.failures(self.rows)

    @property
    def segments(self) -> list[Segment]:
        return _segments(tasks.counted(self.rows))

    @property
    def paused(self) -> bool:
        """Whether the DAG is paused and the run has not ended."""
        state = getattr(self.dag, "state", None)
        return not self.run.is_final and state is not None and bool(state.paused)

    @property
    def switched(self) -> Switched | None:
        return switched(getattr(self.dag, "state", None))

    @cached_property
    def dag(self) -> Dag | None:
        """The DAG in the catalogue now, under the present name of its deployment; None if it was removed."""
        return in_force(self.run.dag)

    @cached_property
    def deployment(self) -> Deployment:
        """The deployment in the catalogue with the Airflow of this run."""
        return airflows.current(self.run.dag.deployment)

    @property
    def problem(self) -> str:
        """Why Airflow cannot be read now."""
        return why_unreadable(self.deployment)

    @property
    def waiting(self) -> str:
        """In words, why the run was not sent to Airflow yet."""
        return operations.why_waiting(self.run.operation) if self.run.operation else ""

    @property
    def away_since(self) -> datetime | None:
        state = state_of(self.deployment)
        return state.status_since if state.status == state.Status.DOWN else None

    @property
    def airflow_url(self) -> str:
        return run_page(self.deployment, self.run.dag.dag_id, self.run.dag_run_id)

    @property
    def look_again(self) -> int:
        """Seconds until the page loads the run again; 0 if nothing will change."""
        if self.run.is_final:
            is_awaited = self.has_tasks and self.known is None and not self.run.gone_at
            if self.changing or self._log_is_awaited:
                return 2
            return 5 if is_awaited else 30 if self.run.next_look else 0
        age = clock.now() - (self.change.created_at if self.change else self.run.created_at)
        if self.problem:
            return 10
        return 2 if age < timedelta(minutes=1) else 5 if age < timedelta(minutes=10) else 15

    @property
    def _log_is_awaited(self) -> bool:
        """Whether the worker is about to read the log of the error."""
        if self.known is None or self.failure is None or self.failure.why_no_logs or self.run.ended_at is None:
            return False
        soon = clock.now() - self.run.ended_at < timedelta(minutes=1)
        return soon and self.known.log_at != self.run.ended_at


def _bar(row: TaskRow, first: datetime, total: float) -> Bar | None:
    began, ended = parse_datetime(row.get("began") or ""), parse_datetime(row.get("ended") or "")
    if began is None:
        return None
    took = ((ended or clock.now()) - began).total_seconds()
    x = min(CHART - 2, round(CHART * (began - first).total_seconds() / total))
    width = max(2, min(CHART - x, round(CHART * took / total)))
    state = next((name for name in ("failed", "running") if name in row["counts"]), next(iter(row["counts"])))
    return Bar(x, width, tones.of_state(state).tone)


def _segments(counts: Counter[str]) -> list[Segment]:
    states = sorted(counts, key=lambda state: (ORDER.index(state) if state in ORDER else len(ORDER), state))
    total, at, found = sum(counts.values()), 0, []
    for state in states:
        upto = at + counts[state]
        x, end = round(WIDTH * at / total), round(WIDTH * upto / total)
        found.append(Segment(state, counts[state], x, max(end - x - 2, 1)))
        at = upto
    return found
