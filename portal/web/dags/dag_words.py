"""Words about a DAG on its pages: when a run would start, and the state of the last run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.utils.dateparse import parse_datetime

from portal.airflow.states import state_of
from portal.dags.models import DagState, Run
from portal.dags.queries import DagOption


def starts(option: DagOption) -> str:
    """When a run requested now would start."""
    state = option.state
    if not state_of(option.dag.deployment).can_be_worked_on("runner"):
        return "The run waits until Airflow can be reached again, for one hour at most. The next page shows its state."
    if state is not None and state.problem:
        return "Airflow cannot start the run until this problem is solved."
    if state is not None and state.paused:
        return "The run is queued in Airflow and starts when the DAG is unpaused. The next page shows its state."
    return "The run starts within seconds. The next page shows its state."


class LastRun(NamedTuple):
    state: str
    at: datetime | None
    run: Run | None  # set if it was requested in the portal and Airflow's list does not have its newest state


def last_run(state: DagState | None, started: Run | None) -> LastRun | None:
    """The newest run in Airflow's list, or the last run requested in the portal if that is newer."""
    listed: list[dict[str, Any]] = state.last_runs if state else []
    if started is not None and state is not None and listed and listed[0]["id"] == started.dag_run_id:
        is_newer = started.seen_at is not None and started.seen_at > state.seen_at
        return LastRun(started.status, started.started_at, started) if is_newer else _listed(listed[0])
    if started is not None and started.dag_run_id not in {run["id"] for run in listed}:
        told_since = state is not None and state.seen_at > started.created_at and started.seen_at is not None
        if not (told_since and listed) and not started.error:
            return LastRun(started.status, started.created_at, started)
    return _listed(listed[0]) if listed else None


def _listed(run: dict[str, Any]) -> LastRun:
    return LastRun(run["state"], parse_datetime(run.get("started_at") or ""), None)


class Listed(NamedTuple):
    """A run in Airflow's list. took: seconds; None while it runs."""

    state: str
    started_at: datetime | None
    took: float | None


def listed(state: DagState | None) -> list[Listed]:
    """The last runs in Airflow, the newest first."""
    return [_with_duration(run) for run in (state.last_runs if state else [])]


def _with_duration(run: dict[str, Any]) -> Listed:
    start, end = (parse_datetime(run.get(name) or "") for name in ("started_at", "ended_at"))
    return Listed(run["state"], start, (end - start).total_seconds() if start and end else None)
