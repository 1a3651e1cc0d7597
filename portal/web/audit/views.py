"""The pages of the audit trail: reading, exporting, verifying."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_safe

from accounts import trail_filters
from accounts.acting import check_actor
from accounts.guard import requires
from accounts.permissions import Permission
from portal.audit.export import export
from portal.audit.verbs import Verb
from portal.audit.verify import verify_and_record
from portal.core.errors import Conflict, Invalid
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.audit import rows
from portal.web.audit.forms import AuditFilter


@require_safe
@requires(Permission.AUDIT)
def audit(request: Request) -> HttpResponse:
    """One page of the events that match the filter in the address."""
    form, status = AuditFilter(request.GET), 200
    context: dict[str, Any] = {
        "form": form,
        "check": rows.last_check(),
        "filters": rows.filters_only(request.GET),
    }
    try:
        context["page"] = rows.page(trail_filters.parse(request.GET), request.GET)
    except Invalid as error:
        form.show_errors(error)
        context["page"], status = None, error.status
    return render(request, "audit/audit.html", context, part="trail", status=status)


@require_GET  # not HEAD: it would record an export, but its caller receives no data
@requires(Permission.AUDIT)
def audit_export(request: Request) -> HttpResponseBase:
    """The same events as a streamed file. The export itself is recorded as an event."""
    given = request.GET
    bom = given.get("bom", "true") != "false"
    by = check_actor(request.user, refusal=Verb.PAGE_REFUSED, target=request.path)
    made = export(by=by, filters=trail_filters.parse(given), form=given.get("format", "csv"), bom=bom)
    response = StreamingHttpResponse(made.chunks, content_type=made.content_type)
    response["Content-Disposition"] = f'attachment; filename="{made.filename}"'
    response["X-Accel-Buffering"] = "no"  # tells a proxy not to buffer the stream
    return response


@requires(Permission.AUDIT)
@acts_from(lambda request: reverse("audit"))
def audit_verify(request: Request) -> HttpResponse:
    """Recalculate all hashes. The result is recorded as an event and shown on the trail's page."""
    by = check_actor(request.user, refusal=Verb.PAGE_REFUSED, target=request.path)
    try:
        result = verify_and_record(by=by)
    except Conflict as error:
        messages.info(request, error.detail)
        return redirect("audit")
    if result.ok:
        rows = f"{result.rows} requests, grants and runs match the trail"
        words = f"The trail is unbroken: {result.events} events verified, up to {result.head_seq}; {rows}."
        messages.success(request, words)
    else:
        messages.error(request, f"The database was changed without Gatehouse. {' '.join(result.problems[:3])}")
    return redirect("audit")


urlpatterns = [
    path("audit", audit, name="audit"),
    path("audit/export", audit_export, name="audit_export"),
    path("audit/verify", audit_verify, name="audit_verify"),
]
