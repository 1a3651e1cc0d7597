"""When a DAG must not be run now: the limits of its entry in the catalogue. Each says when a run is possible again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from accounts import people
from accounts.models import User
from portal.catalogue import airflows, freezes
from portal.catalogue.models import Dag, Deployment
from portal.core import clock, refs
from portal.core.errors import Refused
from portal.dags.models import DagState, Run
from portal.dags.operation_names import RETRIES
from portal.dags.permissions import current
from portal.dags.runs.states import FOLLOWED
from portal.operations import queries as operations

HOUR = timedelta(hours=1)
NOT_ENDED = (Run.Status.REQUESTED, *FOLLOWED)


def check(by: User, dag: Dag) -> None:
    """Raises Refused if `by` must not run the DAG now: `read_only`, `frozen`, `one_at_a_time`, `too_many_runs`.

    To be called inside the transaction that creates the run. The DAG's row is locked, so that two runs at once are both
    counted.
    """
    _lock(dag)
    for refusal in _refusals(by, dag):
        raise refusal


def _lock(dag: Dag) -> None:
    rows = Dag.objects.select_for_update().filter(pk__in=[row.pk for row in same_dag(dag)])
    list(rows.order_by("pk").values_list("pk"))


def why_not_now(by: User, dag: Dag) -> str:
    """In words, why `by` must not run the DAG now, and when it is possible again; empty if nothing prevents it."""
    return next((refusal.detail for refusal in _refusals(by, dag)), "")


def check_writable(deployment: Deployment) -> None:
    """Raises Refused (`read_only`) if nothing may be changed in this Airflow now."""
    if airflows.is_read_only(deployment):
        raise Refused(
            f"Nothing is changed in Airflow on {deployment.name} now, because it is read-only. This is possible again "
            "when an admin has switched read_only off.",
            reason="read_only",
        )


def check_retry(by: User, run: Run) -> None:
    """Raises Refused if `by` must not run tasks of an ended run again now: `read_only`, `frozen`, `one_at_a_time`.

    To be called inside the transaction that creates the operation, as `check`.
    """
    check_writable(run.dag.deployment)
    dag = current(run.dag)
    _lock(dag)
    if why := why_frozen(by, dag):
        raise Refused(why, reason="frozen")
    if dag.one_at_a_time and (other := _not_ended(dag, besides=run)):
        raise _one_at_a_time(dag, other)


def why_frozen(by: User, dag: Dag) -> str:
    """In words, by which freeze `by` is prevented from running the DAG now, and until when; empty without one."""
    now = clock.now()
    windows = [(freezes.span(freeze), freeze) for freeze in dag.freeze if not people.is_one_of(by, freeze["except"])]
    freeze, ends = None, now
    for (begins, until), window in sorted(windows, key=lambda one: one[0]):
        if begins <= ends < until:
            freeze, ends = window, until
    if freeze is None:
        return ""
    return f"{dag.dag_id} is frozen now. It can be run after {_last_moment(ends)}: {freeze['why']}"


def _refusals(by: User, dag: Dag) -> Iterator[Refused]:
    try:
        check_writable(dag.deployment)
    except Refused as refusal:
        yield refusal
    if why := why_frozen(by, dag):
        yield Refused(why, reason="frozen")
    if dag.one_at_a_time and (other := _not_ended(dag)):
        yield _one_at_a_time(dag, other)
    if dag.max_runs_per_hour is not None and (why := _too_many(dag, dag.max_runs_per_hour)):
        yield Refused(why, reason="too_many_runs")


def _one_at_a_time(dag: Dag, other: str) -> Refused:
    return Refused(
        f"Only one run of {dag.dag_id} at a time is allowed. It can be run when {other} has ended.",
        reason="one_at_a_time",
    )


def _too_many(dag: Dag, limit: int) -> str:
    """Runs under every name of the Airflow are counted."""
    now = clock.now()
    recent = Run.objects.filter(dag__in=same_dag(dag), created_at__gt=now - HOUR).order_by("created_at")
    times = list(recent.values_list("created_at", flat=True))
    if len(times) < limit:
        return ""
    again = times[len(times) - limit] + HOUR + timedelta(seconds=59)  # rounded up to the minute
    which = "the last run" if limit == 1 else f"the oldest of {limit} runs"
    return (
        f"The limit of {dag.dag_id} is {limit} {'run' if limit == 1 else 'runs'} per hour. "
        f"It can be run again at {again:%H:%M} UTC, when {which} is an hour old."
    )


def _not_ended(dag: Dag, *, besides: Run | None = None) -> str:
    """The name of a run of the DAG, other than `besides`, that has not ended; empty if there is none.

    A run whose tasks somebody has asked to run again has not ended. Airflow's own runs count as last read. Gatehouse
    knows the state of its own runs better.
    """
    rows = same_dag(dag)
    ours = Run.objects.filter(dag__in=rows)
    others = ours.exclude(pk=besides.pk) if besides is not None else ours
    if (run := others.filter(status__in=NOT_ENDED).order_by("pk").first()) is not None:
        return run.ref
    retried = operations.open_subjects(kinds=RETRIES, deployments=[row.deployment_id for row in rows])
    keys = [refs.parse(refs.RUN, subject) for subject in retried]
    if (run := others.filter(pk__in=keys).order_by("pk").first()) is not None:
        return run.ref
    listed = [run for state in DagState.objects.filter(dag__in=rows) for run in state.last_runs]
    going_on = [run["id"] for run in listed if run["state"] in FOLLOWED]
    ended = set(ours.filter(dag_run_id__in=going_on).values_list("dag_run_id", flat=True))
    return next((f"the run {run_id} in Airflow" for run_id in going_on if run_id not in ended), "")


def same_dag(dag: Dag) -> list[Dag]:
    """The rows of this DAG under every name of its Airflow."""
    return list(Dag.objects.filter(deployment__in=airflows.with_same_address(dag.deployment), dag_id=dag.dag_id))


def _last_moment(end: datetime) -> str:
    """`2 January 2027, 24:00 UTC`, `24 December 2026, 18:00 UTC`. Midnight is the end of the day before."""
    midnight = (end.hour, end.minute, end.second) == (0, 0, 0)
    day, time = (end - timedelta(days=1), "24:00") if midnight else (end, f"{end:%H:%M}")
    return f"{day.day} {day:%B %Y}, {time} UTC"
