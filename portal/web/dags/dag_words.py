"""What the pages say of a DAG: by whom it is paused and why, when a run would start, how its last run went."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from django.utils.dateparse import parse_datetime

from portal.airflow.states import state_of
from portal.dags.models import DagState, Run
from portal.dags.queries import DagOption


def starts(option: DagOption) -> str:
    """When a run that is asked for now would start."""
    state = option.state
    if not state_of(option.dag.deployment).can_be_worked_on("runner"):
        return "It waits until Airflow can be reached again, for an hour at most; the next page follows it."
    if state is not None and state.problem:
        return "Airflow cannot start it until this problem is solved."
    if state is not None and state.paused:
        return "It is queued in Airflow at once, and starts when the DAG is unpaused; the next page follows it."
    return "It starts within seconds; the next page follows it."


class LastRun(NamedTuple):
    state: str
    at: datetime | None
    run: Run | None  # where it was started through the portal and Airflow has not listed it yet


def last_run(state: DagState | None, started: Run | None) -> LastRun | None:
    """Airflow's newest, or the last one of the portal where that is newer than what Airflow told."""
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
