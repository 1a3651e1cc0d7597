"""Requests and the decisions on them."""

from __future__ import annotations

from typing import Any, Literal

from ninja import Query, Router
from pydantic import Field, JsonValue

from accounts import people
from portal.access.actions import submit
from portal.api import present_requests
from portal.api.asking import RequestIn, dag_for
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
from portal.core.text import fold
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

    def own(self) -> dict[str, Any]:
        """The terms that only its kind has, if they are given. A null changes only the start."""
        given = {name: getattr(self, name) for name in ("conf", "start_at", "note", "bounds", "runs", "value")}
        sent = self.model_fields_set
        return {name: it for name, it in given.items() if name in sent and (it is not None or name == "start_at")}


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
    if body.dag is not None:
        return _ask_for_permit(request, body)
    made = submit(
        by=request.auth.user,
        entitlement=entitlement(body.entitlement or ""),
        duration=body.duration,
        reason=body.reason,
        ticket=body.ticket or "",
        starts_at=body.starts_at,
        beneficiary=people.by_username(body.beneficiary) if body.beneficiary else None,
    )
    return _answer(request, made.pk)


def _ask_for_permit(request: ApiRequest, body: RequestIn) -> RequestOut:
    by = request.auth.user
    made = permits.ask(
        by=by,
        dag=dag_for(by, body.dag or ""),
        bounds=body.bounds,
        runs=body.runs or 0,
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
        own=body.own(),
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
