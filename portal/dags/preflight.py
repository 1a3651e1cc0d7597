"""What is known before a run: whether it would start, what runs now, how earlier runs went. Read from the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Literal

from django.utils.dateparse import parse_datetime

from accounts.models import User
from portal.catalogue.models import Dag
from portal.core import clock, durations
from portal.core.errors import Invalid
from portal.dags import limits
from portal.dags.models import DagState, Run

Level = Literal["plain", "warn", "stop"]
SAME_WITHIN = timedelta(minutes=30)
LOOKED_AT = 50  # the newest runs in which the same parameters are searched for
LEAST = 3  # successful runs, for a usual duration


@dataclass(frozen=True)
class Finding:
    """One line of the preflight. level: "stop" if the run would fail or do nothing; "warn" if it may wait or surprise.

    run: the run that the text is about. is_final: a run is refused; a confirmation does not help.
    """

    title: str
    text: str
    level: Level = "plain"
    run: Run | None = None
    is_final: bool = False


def findings(
    dag: Dag, state: DagState | None, conf: Mapping[str, Any] | None = None, by: User | None = None
) -> list[Finding]:
    """The findings for a run of `dag` by this person with these parameters; those that stop it come first.

    conf: as they are stored; None if they are not known yet. by: None if the limits of the catalogue do not matter yet.
    """
    found = [*_limits(dag, by), *_obstacles(state), *_running(dag, state), *_same(dag, conf), *_history(state)]
    order: dict[Level, int] = {"stop": 0, "warn": 1, "plain": 2}
    return sorted(found, key=lambda finding: order[finding.level])


def check_confirmed(state: DagState | None, *, confirmed: bool) -> None:
    """Raises Invalid (`confirm`) for a run that would surely fail or do nothing, unless that was confirmed."""
    stops = [finding.text for finding in _obstacles(state) if finding.level == "stop"] if state else []
    if stops and not confirmed:
        raise Invalid({"confirm": f"{' '.join(stops)} Confirm that it is to be started all the same."})


def _limits(dag: Dag, by: User | None) -> list[Finding]:
    why = limits.why_not_now(by, dag) if by is not None else ""
    return [Finding("Limits", why, "stop", is_final=True)] if why else []


def _obstacles(state: DagState | None) -> list[Finding]:
    if state is None:
        return [Finding("In Airflow", "Gatehouse has not read this DAG from Airflow yet.", "warn")]
    found = []
    if state.problem:
        found.append(Finding("In Airflow", f"{state.problem} A run would fail.", "stop"))
    if state.warning:
        found.append(Finding("Dates", state.warning, "stop"))
    if state.paused:
        found.append(Finding("Paused", "Yes. The run stays queued until the DAG is unpaused.", "warn"))
    elif state.paused is not None:
        found.append(Finding("Paused", "No."))
    return found


def _running(dag: Dag, state: DagState | None) -> list[Finding]:
    active = _active(dag, state)
    most = state.max_active_runs if state else None
    if most is not None and len(active) >= most:
        limit = "1 run" if most == 1 else f"{most} runs"
        words = f"{len(active)} of at most {most}. Airflow executes {limit} at a time; this one waits in the queue."
        return [Finding("Running now", words, "warn")]
    of = f" of at most {most}" if most is not None else ""
    return [Finding("Running now", f"{len(active) or 'None'}{of}.")]


def _active(dag: Dag, state: DagState | None) -> set[str]:
    """The ids in Airflow of the runs that have not ended, as far as they are known."""
    ours = dict(Run.objects.filter(dag=dag).order_by("-created_at").values_list("dag_run_id", "status")[:LOOKED_AT])
    active = {name for name, status in ours.items() if status not in Run.FINAL}
    listed = state.last_runs if state else []
    return active | {run["id"] for run in listed if run["state"] in ("queued", "running") and run["id"] not in ours}


def _same(dag: Dag, conf: Mapping[str, Any] | None) -> list[Finding]:
    if conf is None:
        return []
    since = clock.now() - SAME_WITHIN
    newest = Run.objects.filter(dag=dag, created_at__gt=since).select_related("requested_by").order_by("-created_at")
    for run in newest[:LOOKED_AT]:
        if run.conf == conf:
            words = f"Started {durations.ago(run.created_at)} by {run.requested_by.username}."
            return [Finding("Same values", words, "warn", run)]
    return []


def _history(state: DagState | None) -> list[Finding]:
    listed: list[dict[str, Any]] = state.last_runs if state else []
    ended = Counter(run["state"] for run in listed if run["state"] in ("success", "failed"))
    if not ended:
        return [Finding("Last runs", "None yet.")]
    good, bad = ended["success"], ended["failed"]
    words = f"{good} succeeded, {bad} failed." if bad else f"{good} succeeded."
    found = [Finding("Last runs", words, "warn" if bad > good else "plain")]
    if (took := usual(listed)) is not None:
        found.append(Finding("Usually takes", f"{durations.words(max(took, timedelta(seconds=1)))}."))
    return found


def usual(listed: list[dict[str, Any]]) -> timedelta | None:
    """The median duration of the successful runs in `DagState.last_runs`; None if there are too few."""
    took = [seconds for run in listed if (seconds := _seconds(run)) is not None]
    return timedelta(seconds=median(took)) if len(took) >= LEAST else None


def _seconds(run: Mapping[str, Any]) -> float | None:
    start, end = _moment(run.get("started_at")), _moment(run.get("ended_at"))
    return (end - start).total_seconds() if start and end and run.get("state") == "success" else None


def _moment(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None
