"""A run's page: its state as Airflow has it, followed for as long as it lasts."""

from __future__ import annotations

import json

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal import refs
from portal.dags import queries
from portal.ui.htmx import render, wants_part
from portal.ui.request import Request
from portal.web import run_view


@require_safe
@requires(Permission.OPERATE)
def run_detail(request: Request, ref: str) -> HttpResponse:
    """The last known state at once; Airflow is asked by the page's own polling, or by a link without JavaScript."""
    run = queries.run_for(request.user, refs.parse(refs.RUN, ref))
    ask = wants_part(request) or bool(request.GET.get("live"))
    view = run_view.look(run) if ask else run_view.last_known(run)
    context = {
        "view": view,
        "run": view.run,
        "conf": json.dumps(view.run.conf, indent=2, ensure_ascii=False) if view.run.conf else "",
        "changed": view.run.status != request.GET.get("was", view.run.status),
    }
    return render(request, "runs/run_detail.html", context, part="live")


urlpatterns = [path("runs/<str:ref>", run_detail, name="run_detail")]
