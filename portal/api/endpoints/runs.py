"""Runs: their state, tasks and logs, and how they are retried and cancelled."""

from __future__ import annotations

from typing import Literal

from ninja import Query, Router

from portal.api import present, present_runs
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_creation
from portal.api.parsing import Body
from portal.api.shapes import OperationOut
from portal.api.shapes_runs import LogOut, RunOut, RunTasksOut
from portal.core import refs
from portal.core.errors import Refused
from portal.dags import queries
from portal.dags.models import Run
from portal.dags.runs import logs, run_actions, wanted

router = Router(tags=["runs"])


class RunParams(PageParams):
    dag: str = ""
    status: Literal["requested", "queued", "running", "success", "failed"] | None = None
    mine: bool = False


class RetryIn(Body):
    tasks: list[str] | None = None
    reason: str = ""


class CancelIn(Body):
    reason: str = ""


@router.get("/runs", auth=Bearer("operate"), response=Page[RunOut], summary="Runs, the newest first")
def list_runs(request: ApiRequest, params: Query[RunParams]) -> Page[RunOut]:
    """dag: `deployment/dag_id`. mine: only runs that the caller requested."""
    rows = queries.runs_visible_to(request.auth.user)
    if params.dag:
        deployment, _, dag_id = params.dag.partition("/")
        rows = rows.filter(dag__deployment__name=deployment, dag__dag_id=dag_id)
    if params.status is not None:
        rows = rows.filter(status=params.status)
    if params.mine:
        rows = rows.filter(requested_by=request.auth.user)
    found, following = by_creation(rows, params, "runs")
    return Page(items=[present_runs.run(run) for run in found], next=following)


@router.get("/runs/{id}", auth=Bearer("operate"), response=RunOut, summary="One run")
def read_run(request: ApiRequest, id: str) -> RunOut:
    return present_runs.run(_wanted(request, id))


@router.get("/runs/{id}/tasks", auth=Bearer("operate"), response=RunTasksOut, summary="The tasks of a run")
def read_tasks(request: ApiRequest, id: str) -> RunTasksOut:
    """With the results of a successful run, as the worker last read both from Airflow."""
    return present_runs.run_tasks(_wanted(request, id))


@router.get(
    "/runs/{id}/tasks/{task_id}/log", auth=Bearer("operate"), response=LogOut, summary="The log of an attempt of a task"
)
def read_log(
    request: ApiRequest, id: str, task_id: str, try_number: int = Query(1, alias="try"), map_index: int = -1
) -> LogOut:
    """The lines around the error, or the last lines. `read_at` is null until the worker has read the log: ask again."""
    run = queries.run_for(request.auth.user, refs.parse(refs.RUN, id))
    if why := logs.why_no_logs(run):
        raise Refused(why, reason="not_offered")
    logs.check_attempt(run, task_id, map_index, try_number)
    wanted.tell_of_log(run, task_id, map_index, try_number)
    return present_runs.log(logs.log_of(run, task_id, map_index, try_number))


@router.post("/runs/{id}/retry", auth=Bearer("operate"), response=OperationOut, summary="Run failed tasks again")
def retry_run(request: ApiRequest, id: str, body: RetryIn) -> OperationOut:
    """The failed tasks; with `tasks`, those tasks and all that depend on them."""
    run = _run(request, id)
    if body.tasks is None:
        return present.operation(run_actions.retry(by=request.auth.user, run=run, reason=body.reason))
    operation = run_actions.clear_tasks(by=request.auth.user, run=run, tasks=body.tasks, reason=body.reason)
    return present.operation(operation)


@router.post("/runs/{id}/cancel", auth=Bearer("operate"), response=OperationOut, summary="Cancel a run")
def cancel_run(request: ApiRequest, id: str, body: CancelIn) -> OperationOut:
    return present.operation(run_actions.cancel(by=request.auth.user, run=_run(request, id), reason=body.reason))


def _run(request: ApiRequest, id: str) -> Run:
    return queries.run_for(request.auth.user, refs.parse(refs.RUN, id))


def _wanted(request: ApiRequest, id: str) -> Run:
    """The run. The worker is notified that somebody views it, so that it reads it sooner."""
    run = _run(request, id)
    wanted.tell_of_run(run)
    return run
