"""Notices that a run has ended: asking for one on the run's page, and marking it as read on any page."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core import refs
from portal.core.errors import Conflict
from portal.dags import queries
from portal.dags.runs import run_notices
from portal.ui.htmx import wants_part
from portal.ui.request import Request
from portal.web.acting import acts_from


@requires(Permission.OPERATE)
@acts_from(lambda request, ref: reverse("run_detail", args=[ref]))
def run_notice(request: Request, ref: str) -> HttpResponse:
    """Ask for a notice. If the run has ended meanwhile, its page shows that."""
    run = queries.run_for(request.user, refs.parse(refs.RUN, ref))
    try:
        run_notices.ask(by=request.user, run_id=run.pk)
    except Conflict as ended:
        if not wants_part(request):
            messages.warning(request, ended.detail)
            return redirect("run_detail", ref=run.ref)
        run.refresh_from_db()
    if wants_part(request):
        context = {"run": run, "is_told": not run.is_final, "is_focused": True}
        return HttpResponse(render_to_string("runs/_tell.html", context, request))
    return redirect("run_detail", ref=run.ref)


@requires(Permission.OPERATE)
@acts_from(lambda request, ref: reverse("run_detail", args=[ref]))
def run_notice_read(request: Request, ref: str) -> HttpResponse:
    """Mark a notice as read; before the end of the run: it is not wanted any more. `back`: the page to return to."""
    number = refs.parse(refs.RUN, ref)
    run_notices.mark_read(by=request.user, run_id=number)
    if wants_part(request):
        return HttpResponse(render_to_string("_parts/run_notices.html", {"is_focused": True}, request))
    back = request.POST.get("back", "")
    is_ours = back.startswith("/") and url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back) if is_ours else redirect("run_detail", ref=refs.ref(refs.RUN, number))
