"""Reading, exporting and verifying the audit trail."""

from __future__ import annotations

from typing import Literal

from django.http import StreamingHttpResponse
from ninja import Query, Router
from pydantic import Field

from accounts import trail_filters
from accounts.acting import check_actor
from portal.api import present
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, valid_cursor
from portal.api.parsing import Params
from portal.api.shapes import EventOut, Head, Verification
from portal.audit import export, queries, verify
from portal.audit.verbs import Verb
from portal.core.paging import read_cursor, write_cursor

router = Router(tags=["audit"])


class TrailParams(Params):
    """Texts. `portal.audit.queries.Filters` parses them and has the error of each."""

    actor: str = ""
    verb: str = Field("", examples=["request.approved", "request.*"])
    target: str = Field("", examples=["REQ-12"])
    about: str = Field("", description="a reference, or a name of any kind", examples=["REQ-12", "person:employee"])
    deployment: str = ""
    outcome: str = Field("", examples=["success", "refused", "failed"])
    since: str = Field("", description="a date or a time", examples=["2026-11-21", "2026-11-21T09:00:00Z"])
    until: str = Field("", description="a date (included) or a time (not included)")
    q: str = Field("", description="words that must all be somewhere in the event")

    def filters(self) -> queries.Filters:
        return trail_filters.parse({name: str(getattr(self, name)) for name in TrailParams.model_fields})


class EventParams(PageParams, TrailParams):
    pass


class ExportParams(TrailParams):
    format: Literal["csv", "jsonl"] = Field("csv", description="csv is for reading, jsonl for verifying")
    bom: bool = Field(True, description="whether CSV begins with a byte-order mark, which Excel needs")


@router.get("/audit", auth=Bearer("audit"), response=Page[EventOut], summary="Events, newest first")
def list_events(request: ApiRequest, params: Query[EventParams]) -> Page[EventOut]:
    with valid_cursor():
        before = read_cursor(params.cursor, "events", int)[0] if params.cursor else None
    rows, following = queries.page(params.filters(), before=before, size=params.limit)
    items = [present.event(row) for row in rows]
    return Page(items=items, next=write_cursor("events", following) if following is not None else None)


FILES = {form: {"schema": {"type": "string"}} for form in ("text/csv", "application/jsonl")}


@router.get(
    "/audit/export",
    auth=Bearer("audit"),
    response={200: None},
    summary="All matching events, as a file",
    openapi_extra={"responses": {200: {"description": "The file, streamed", "content": FILES}}},
)
def export_events(request: ApiRequest, params: Query[ExportParams]) -> StreamingHttpResponse:
    """Oldest first. The export itself is recorded as an event."""
    by = check_actor(request.auth.user, refusal=Verb.PAGE_REFUSED, target=request.path)
    made = export.export(by=by, filters=params.filters(), form=params.format, bom=params.bom)
    headers = {"Content-Disposition": f'attachment; filename="{made.filename}"'}
    return StreamingHttpResponse(made.chunks, content_type=made.content_type, headers=headers)


@router.get("/audit/verify", auth=Bearer("audit"), response=Verification, summary="Whether the trail is unchanged")
def verify_trail(request: ApiRequest) -> Verification:
    """Recalculates all hashes. The result is recorded as an event."""
    by = check_actor(request.auth.user, refusal=Verb.PAGE_REFUSED, target=request.path)
    found = verify.verify_and_record(by=by)
    return Verification(
        ok=found.ok,
        events=found.events,
        rows=found.rows,
        head=Head(seq=found.head_seq, hash=found.head_hash),
        first_bad=found.first_bad,
        problems=found.problems,
    )
