"""Requests and the decisions on them."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Query, Router
from pydantic import Field, JsonValue

from accounts import people
from portal.access.actions import submit
from portal.api import present_requests
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_creation
from portal.api.parsing import Body, Duration, Moment
from portal.api.shapes_requests import RequestDetail, RequestOut
from portal.approvals import actions, queries, searching
from portal.approvals.comments import comment
from portal.approvals.models import Request
from portal.approvals.resubmitting import resubmit
from portal.approvals.timeline import timeline
from portal.catalogue.queries import entitlement
from portal.core import refs
from portal.core.errors import Invalid, Missing
from portal.core.text import fold
from portal.dags import queries as dags
from portal.dags.permits import permits
from portal.dags.requests import run_starts

ROUND = Field(None, description="of the request as it was read; required from the second round on")
router = Router(tags=["requests"], by_alias=True)


class RequestParams(PageParams):
    kind: Literal["access", "run", "permit", "variable"] | None = None
    status: Literal["pending", "approved", "returned", "denied", "withdrawn", "lapsed"] | None = None
    requester: str = ""
    decidable: bool = False
    entitlement: str = ""
    dag: str = Field("", description="of requests for a run or a permit", examples=["demo/payroll_close"])
    q: str = ""


class RequestIn(Body):
    entitlement: str | None = Field(None, description="for access")
    dag: str | None = Field(None, description="for a permit, instead of entitlement", examples=["demo/payroll_close"])
    bounds: dict[str, Any] = Field({}, description="of a permit, by parameter: enum, minimum, maximum, days_back")
    runs: int | None = Field(None, description="the number of runs that a permit allows")
    duration: Duration
    reason: str
    ticket: str | None = None
    starts_at: Moment | None = None
    beneficiary: str | None = None


class ApproveIn(Body):
    comment: str = ""
    duration: Duration | None = None
    round: int | None = ROUND


class DenyIn(Body):
    comment: str
    round: int | None = ROUND


class ReturnIn(Body):
    comment: str
    round: int | None = ROUND


class ResubmitIn(Body):
    duration: Duration | None = None
    reason: str | None = None
    ticket: str | None = None
    conf: dict[str, Any] | None = Field(None, description="of a request for a run")
    start_at: Moment | None = Field(None, description="of a request for a run; null: as soon as approved")
    note: str | None = Field(None, description="of a request for a run")
    bounds: dict[str, Any] | None = Field(None, description="of a request for a permit")
    runs: int | None = Field(None, description="of a request for a permit")
    value: JsonValue = Field(None, description="of a request for a variable")
    round: int | None = Field(None, description="of the request as it was read")


class CommentIn(Body):
    text: str
    audience: Literal["all", "approvers"] = Field(
        "all", alias="for", description="approvers: for its approvers and auditors alone"
    )


class WithdrawIn(Body):
    pass


class CancelIn(Body):
    reason: str = Field("", description="required from approvers")


@router.post("/requests", auth=Bearer("request"), response={201: RequestOut}, summary="Request access")
def create_request(request: ApiRequest, body: RequestIn) -> RequestOut:
    """For access, name an entitlement. For a permit to run a DAG within bounds, name the DAG and the runs."""
    by = request.auth.user
    if body.dag is not None:
        return _ask_for_permit(request, body)
    wrong: dict[str, str] = {}
    offered = beneficiary = None
    if not body.entitlement:
        raise Invalid({"entitlement": "Name an entitlement, or a dag for a permit."})
    try:
        offered = entitlement(body.entitlement)
    except Missing as error:
        wrong["entitlement"] = error.detail
    try:
        beneficiary = people.by_username(body.beneficiary) if body.beneficiary else None
    except Missing as error:
        wrong["beneficiary"] = error.detail
    if wrong or offered is None:
        raise Invalid(wrong)
    made = submit(
        by=by,
        entitlement=offered,
        duration=body.duration,
        reason=body.reason,
        ticket=body.ticket or "",
        starts_at=body.starts_at,
        beneficiary=beneficiary,
    )
    return _answer(request, made.pk)


def _ask_for_permit(request: ApiRequest, body: RequestIn) -> RequestOut:
    for name in ("entitlement", "starts_at", "beneficiary"):
        if getattr(body, name):
            raise Invalid({name: f"A request for a permit has no {name}. Leave it out."})
    if body.runs is None:
        raise Invalid({"runs": "Say how many runs the permit should allow."})
    deployment, _, dag_id = (body.dag or "").partition("/")
    option = dags.dag_for(request.auth.user, deployment, dag_id)
    made = permits.ask(
        by=request.auth.user,
        dag=option.dag,
        bounds=body.bounds,
        runs=body.runs,
        duration=body.duration,
        reason=body.reason,
        ticket=body.ticket or "",
    )
    return _answer(request, made.pk)


@router.get("/requests", auth=Bearer("read"), response=Page[RequestOut], summary="Requests that you may see")
def list_requests(request: ApiRequest, params: Query[RequestParams]) -> Page[RequestOut]:
    """Newest first. With `decidable`, only requests that wait for your decision, oldest first."""
    user = request.auth.user
    rows = queries.decidable_by(user) if params.decidable else queries.visible_to(user, Request.objects.all())
    if params.kind:
        rows = rows.filter(kind=params.kind)
    if params.status:
        rows = rows.filter(status=params.status)
    if params.requester:
        rows = rows.filter(requester__folded=fold(params.requester))
    if params.entitlement:
        rows = rows.filter(accessrequest__entitlement__key=params.entitlement)
    if params.dag:
        rows = rows.filter(kind__in=["run", "permit"], about=params.dag)
    rows = searching.matching(rows, params.q)
    found, following = by_creation(rows, params, "requests", oldest_first=params.decidable)
    return Page(items=present_requests.requests(queries.full(found), reader=user), next=following)


@router.get("/requests/{id}", auth=Bearer("read"), response=RequestDetail, summary="One request, with its timeline")
def read_request(request: ApiRequest, id: str) -> RequestDetail:
    row = _visible(request, id)
    return present_requests.request_detail(row, timeline(row), reader=request.auth.user)


@router.post("/requests/{id}/approve", auth=Bearer("decide"), response=RequestOut, summary="Approve a request")
def approve_request(request: ApiRequest, id: str, body: ApproveIn) -> RequestOut:
    row = _visible(request, id)
    actions.approve(
        request_id=row.pk, by=request.auth.user, comment=body.comment, duration=body.duration, round=body.round
    )
    return _answer(request, row.pk)


@router.post("/requests/{id}/deny", auth=Bearer("decide"), response=RequestOut, summary="Deny a request")
def deny_request(request: ApiRequest, id: str, body: DenyIn) -> RequestOut:
    row = _visible(request, id)
    actions.deny(request_id=row.pk, by=request.auth.user, comment=body.comment, round=body.round)
    return _answer(request, row.pk)


@router.post("/requests/{id}/return", auth=Bearer("decide"), response=RequestOut, summary="Return for changes")
def return_request(request: ApiRequest, id: str, body: ReturnIn) -> RequestOut:
    row = _visible(request, id)
    actions.return_for_changes(request_id=row.pk, by=request.auth.user, comment=body.comment, round=body.round)
    return _answer(request, row.pk)


@router.post("/requests/{id}/resubmit", auth=Bearer("request"), response=RequestOut, summary="Send a request again")
def resubmit_request(request: ApiRequest, id: str, body: ResubmitIn) -> RequestOut:
    """Fields that are left out are not changed."""
    row = _visible(request, id)
    resubmit(
        request_id=row.pk,
        by=request.auth.user,
        duration=body.duration,
        reason=body.reason,
        ticket=body.ticket,
        own=body.model_dump(include={"conf", "start_at", "note", "bounds", "runs", "value"} & body.model_fields_set),
        round=body.round,
    )
    return _answer(request, row.pk)


@router.post(
    "/requests/{id}/comments", auth=Bearer("request", "decide"), response=RequestOut, summary="Comment on a request"
)
def comment_on_request(request: ApiRequest, id: str, body: CommentIn) -> RequestOut:
    row = _visible(request, id)
    comment(request_id=row.pk, by=request.auth.user, text=body.text, audience=body.audience)
    return _answer(request, row.pk)


@router.post("/requests/{id}/withdraw", auth=Bearer("request"), response=RequestOut, summary="Withdraw a request")
def withdraw_request(request: ApiRequest, id: str, body: WithdrawIn) -> RequestOut:
    row = _visible(request, id)
    actions.withdraw(request_id=row.pk, by=request.auth.user)
    return _answer(request, row.pk)


@router.post(
    "/requests/{id}/cancel", auth=Bearer("request", "decide"), response=RequestOut, summary="Cancel the start of a run"
)
def cancel_start(request: ApiRequest, id: str, body: CancelIn) -> RequestOut:
    """Of an approved request whose run has not started."""
    row = _visible(request, id)
    run_starts.cancel(request_id=row.pk, by=request.auth.user, reason=body.reason)
    return _answer(request, row.pk)


def _visible(request: ApiRequest, id: str) -> Any:
    """Raises Missing if the request does not exist or the caller may not see it."""
    return queries.request_for(request.auth.user, refs.parse(refs.REQUEST, id))


def _answer(request: ApiRequest, pk: int) -> RequestOut:
    """The request, read again after the change."""
    return present_requests.request(queries.request_for(request.auth.user, pk), reader=request.auth.user)
