"""DAGs that the caller may operate, and their runs."""

from __future__ import annotations

from typing import Any

from ninja import Query, Router, Status
from pydantic import Field

from portal.api import present, present_requests, present_runs
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_name
from portal.api.parsing import Body, Moment
from portal.api.shapes import OperationOut
from portal.api.shapes_requests import RequestOut
from portal.api.shapes_runs import DagDetail, DagOut, RunOut
from portal.approvals import queries as requests
from portal.dags import actions, queries
from portal.dags.parameters import params
from portal.dags.pauses import pausing
from portal.dags.requests import run_requests
from portal.dags.runs import wanted

router = Router(tags=["dags"])


class DagParams(PageParams):
    deployment: str = ""
    q: str = ""


class RunIn(Body):
    conf: dict[str, Any] = {}
    note: str = ""
    confirm: bool = Field(False, description="start it, although `preflight` says that it would fail or do nothing")
    start_at: Moment | None = Field(None, description="a later start; it always makes a request")
    reason: str = Field("", description="required where an approval is needed; otherwise the note, if there is none")
    ticket: str | None = None


class PauseIn(Body):
    reason: str = ""
    until: Moment | None = Field(None, description="when Gatehouse unpauses it; null: it stays paused")


class UnpauseIn(Body):
    reason: str = ""


@router.get("/dags", auth=Bearer("read"), response=Page[DagOut], summary="The DAGs you may see")
def list_dags(request: ApiRequest, params: Query[DagParams]) -> Page[DagOut]:
    found = queries.operable_by(request.auth.user, q=params.q, deployment=params.deployment)
    options, following = by_name(found, params, "dags", lambda option: str(option.dag))
    return Page(items=[present_runs.dag(option) for option in options], next=following)


@router.get("/dags/{deployment}/{dag_id}", auth=Bearer("read"), response=DagDetail, by_alias=True, summary="One DAG")
def read_dag(request: ApiRequest, deployment: str, dag_id: str) -> DagDetail:
    """With its parameters as the worker last read them from Airflow, and what is known before a run."""
    option = queries.dag_for(request.auth.user, deployment, dag_id)
    wanted.tell_of_dag(option.state)
    return present_runs.dag_detail(option, params.known(option.dag, option.state), reader=request.auth.user)


@router.post(
    "/dags/{deployment}/{dag_id}/runs",
    auth=Bearer("operate"),
    response={201: RunOut, 202: RequestOut},
    by_alias=True,
    summary="Run a DAG, or ask for a run",
)
def create_run(request: ApiRequest, deployment: str, dag_id: str, body: RunIn) -> Status[RunOut] | Status[RequestOut]:
    """201: the run. 202: the request for it, where an approval is needed or the start is later."""
    by = request.auth.user
    option = queries.dag_for(by, deployment, dag_id)
    within_permit = not option.permits or not body.reason  # a reason asks for an approval
    if option.reason != "needs_approval" and body.start_at is None and within_permit:
        run = actions.trigger(
            by=by, dag=option.dag, conf=body.conf, note=body.note or body.reason, confirmed=body.confirm
        )
        return Status(201, present_runs.run(run))
    asked = run_requests.ask(
        by=by,
        dag=option.dag,
        conf=body.conf,
        reason=body.reason,
        ticket=body.ticket or "",
        start_at=body.start_at,
        note=body.note,
    )
    return Status(202, present_requests.request(requests.request_for(by, asked.pk), reader=by))


@router.post("/dags/{deployment}/{dag_id}/pause", auth=Bearer("operate"), response=OperationOut, summary="Pause a DAG")
def pause_dag(request: ApiRequest, deployment: str, dag_id: str, body: PauseIn) -> OperationOut:
    option = queries.dag_for(request.auth.user, deployment, dag_id)
    return present.operation(pausing.pause(by=request.auth.user, dag=option.dag, **dict(body)))


@router.post(
    "/dags/{deployment}/{dag_id}/unpause", auth=Bearer("operate"), response=OperationOut, summary="Unpause a DAG"
)
def unpause_dag(request: ApiRequest, deployment: str, dag_id: str, body: UnpauseIn) -> OperationOut:
    option = queries.dag_for(request.auth.user, deployment, dag_id)
    return present.operation(pausing.unpause(by=request.auth.user, dag=option.dag, reason=body.reason))
