"""The runs that start when a DAG is unpaused: those that its schedule missed while it was paused."""

from __future__ import annotations

from datetime import datetime, timedelta

from cronsim import CronSim, CronSimError

from portal.core import clock, durations
from portal.dags.models import DagState

MOST = 1000  # runs that are counted
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}


def in_words(state: DagState) -> str:
    """What the schedule does when the DAG is unpaused now, in a sentence; empty if it starts no run at once.

    With catch-up, Airflow starts a run for each missed time, else one for the last of them.
    """
    now = clock.now()
    if not state.schedule or state.next_run_at is None or state.next_run_at > now:
        return ""
    if not state.catchup:
        return "Its schedule missed a run meanwhile. Airflow starts the last missed one at once."
    since = durations.ago(state.next_run_at)
    at_a_time = f", at most {state.max_active_runs} at a time" if state.max_active_runs else ""
    missed = missed_runs(state.schedule, state.next_run_at, now)
    if missed is None:
        return f"Airflow catches up: it starts all runs that were missed since {since}{at_a_time}."
    number = f"more than {MOST}" if missed > MOST else f"about {missed}"
    runs = "1 missed run starts" if missed == 1 else f"{number} missed runs start"
    return f"Airflow catches up: {runs} at once{at_a_time}. The first was due {since}."


def missed_runs(schedule: str, first: datetime, until: datetime) -> int | None:
    """How many times of a schedule lie between `first`, which is one of them, and `until`; MOST + 1 if there are more.

    None for a schedule that is no cron expression. The time zone of the DAG is not known, so it may be one too many.
    """
    try:
        times = CronSim(PRESETS.get(schedule, schedule), first + timedelta(seconds=1))
    except CronSimError:
        return None
    found = 1
    for time in times:
        if time > until or found > MOST:
            return found
        found += 1
    return found
