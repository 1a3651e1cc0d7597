"""The page of a run. It reloads the state while it is open."""

from __future__ import annotations

import json

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core import refs
from portal.dags import queries, wanted
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.runs import run_view


@require_safe
@requires(Permission.OPERATE)
def run_detail(request: Request, ref: str) -> HttpResponse:
    """The last known state. The worker is notified that somebody views the run, so that it reads it sooner."""
    run = queries.run_for(request.user, refs.parse(refs.RUN, ref))
    wanted.tell_of_run(run)
    context = {
        "view": run_view.RunView(run),
        "run": run,
        "conf": json.dumps(run.conf, indent=2, ensure_ascii=False) if run.conf else "",
        "changed": run.status != request.GET.get("was", run.status),
    }
    return render(request, "runs/run_detail.html", context, part="live")


urlpatterns = [path("runs/<str:ref>", run_detail, name="run_detail")]
