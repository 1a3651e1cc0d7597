"""Reading runs and operable DAGs from Airflow."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Case, Count, F, Q, QuerySet, When

from portal.airflow import clients, listings
from portal.airflow.bridge import (
    Airflow,
    AirflowRun,
    AirflowTask,
    BridgeError,
    RateLimited,
    TimedOut,
    Unauthorised,
    Unreachable,
)
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.catalogue import airflows, secrets
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.queries import dags_in_force
from portal.core import clock
from portal.dags.causes import why_not
from portal.dags.models import Run, RunTasks
from portal.dags.observing import dag_unread, observe_dag, observe_owners, observe_runs, unwant
from portal.dags.runs.following import observe, tasks_unread, unread
from portal.dags.runs.states import FOLLOWED
from portal.dags.runs.tasks import counted
from portal.dags.runs.wanted import OVERDUE, UNKNOWN_OVERDUE
from portal.worker import logs

S = DeploymentState.Status
LAST_RUNS = 20
MANY = 60  # DAGs of one deployment that are read in OVERDUE; with more of them, each is read less often
NO_ANSWER = (Unreachable, TimedOut, RateLimited, Unauthorised)  # the error says nothing about the run or the DAG
INSTANCES_A_SECOND = 50  # task instances; a run with many of them is read less often


def deployments_with_runs() -> QuerySet[Run, int]:
    """The primary keys of the deployments with runs that have not ended."""
    return Run.objects.filter(status__in=FOLLOWED).values_list("dag__deployment", flat=True)


def due_deployments() -> list[Deployment]:
    """The deployments in the catalogue by which the due runs are read."""
    given = Deployment.objects.filter(pk__in=_due().values("dag__deployment"))
    return [deployment for deployment in airflows.all_current(given) if state_of(deployment).status == S.UP]


def due_on(deployment: Deployment) -> QuerySet[Run]:
    """The due runs of a deployment, the longest overdue first; none while it is not up."""
    if state_of(deployment).status != S.UP:
        return Run.objects.none()
    rows = _due().filter(dag__deployment__in=airflows.served_by(deployment))
    return rows.select_related("dag__deployment", "dag__state", "tasks").order_by(
        F("next_look").asc(nulls_first=True), "pk"
    )


def _due() -> QuerySet[Run]:
    return Run.objects.filter(Q(next_look__lte=clock.now()) | Q(next_look=None, status__in=FOLLOWED))


def read_run(run: Run) -> None:
    """Read a run, and its tasks if they are due."""
    try:
        airflow = clients.runner(run.dag.deployment)
        seen = airflow.run(run.dag.dag_id, run.dag_run_id)
    except (*NO_ANSWER, secrets.SecretMissing):
        return
    except BridgeError as error:
        unread(run, str(error))
        return
    instances: list[AirflowTask] | None = None
    if seen is not None and _tasks_are_due(run, seen):
        instances = _tasks(airflow, run)
    observe(run, seen, instances)
    if seen is not None:
        logs.read_at_end(airflow, run, seen)


def _tasks_are_due(run: Run, seen: AirflowRun) -> bool:
    """Whether to read the tasks: at every change of the run, once after its end, and while somebody views its page.

    While the page is open, a run with many task instances is read less often.
    """
    tasks: RunTasks | None = getattr(run, "tasks", None)
    read_at = tasks.seen_at if tasks is not None else None
    if seen.state != run.status or (seen.is_final and (read_at is None or seen.ended_at != run.ended_at)):
        return True
    now = clock.now()
    if run.wanted_until is None or run.wanted_until < now:
        return False
    many = counted(tasks.rows).total() if tasks is not None else 0
    return read_at is None or read_at < now - timedelta(seconds=1 + many / INSTANCES_A_SECOND)


def _tasks(airflow: Airflow, run: Run) -> list[AirflowTask] | None:
    try:
        return airflow.task_instances(run.dag.dag_id, run.dag_run_id)
    except BridgeError as error:
        tasks_unread(run, str(error))
        return None


def due_dags() -> QuerySet[Dag]:
    """The operable DAGs that are due: first those that somebody views, then those whose last reading is the oldest."""
    rows = dags_in_force().filter(deployment__state__status=S.UP)
    now = clock.now()
    due = Q(state__seen_at__lte=now - OVERDUE)
    for deployment, interval in _slow().items():
        due &= ~Q(deployment=deployment) | Q(state__seen_at__lte=now - interval)
    due |= Q(state__is_wanted=True, state__seen_at__lte=now - UNKNOWN_OVERDUE)
    rows = rows.filter(Q(state=None) | due)
    wanted = Case(When(Q(state=None) | Q(state__is_wanted=True), then=0), default=1)
    return rows.select_related("deployment", "state").order_by(wanted, F("state__seen_at").asc(nulls_first=True), "pk")


def _slow() -> dict[int, timedelta]:
    """How often each DAG of a deployment with many DAGs is read, by the deployment's primary key."""
    counts = dags_in_force().order_by().values_list("deployment").annotate(count=Count("pk"))
    return {pk: OVERDUE * (count / MANY) for pk, count in counts if count > MANY}


def read_list(deployment: Deployment) -> None:
    """Read the list of a deployment's DAGs. It decides what globs and tags cover, and has the owners on Airflow 2."""
    seen = listings.read(deployment)
    observe_owners(airflows.with_same_address(deployment), {dag.dag_id: list(dag.owners or ()) for dag in seen})


def is_wanted(dag: Dag) -> bool:
    """Whether somebody views the DAG, and the worker has read it before."""
    state = getattr(dag, "state", None)
    return state is not None and state.is_wanted


def read_dag(dag: Dag) -> None:
    """Read a DAG and its last runs. The two are stored separately: if one cannot be read, the other is still stored."""
    try:
        airflow = clients.runner(dag.deployment)
        exists = _read_state(airflow, dag)
    except (*NO_ANSWER, secrets.SecretMissing):
        unwant(dag)
        return
    except BridgeError as error:  # its runs may still be readable
        dag_unread(dag, str(error))
        exists = True
    if not exists:
        observe_runs(dag, [])
        return
    try:
        observe_runs(dag, airflow.recent_runs(dag.dag_id, limit=LAST_RUNS))
    except BridgeError as error:
        observe_runs(dag, None, problem=f"Its last runs could not be read: {error}")


def _read_state(airflow: Airflow, dag: Dag) -> bool:
    """Read the DAG itself. Returns whether Airflow has it."""
    asked_at = clock.now()
    seen = airflow.dag(dag.dag_id)
    observe_dag(dag, seen, asked_at=asked_at, problem=why_not(airflow, dag, seen))
    return seen is not None
