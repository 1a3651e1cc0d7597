"""The page of a run, which reloads the state while it is open, and its actions cancel and retry."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core import refs
from portal.core.errors import GatehouseError
from portal.dags import queries
from portal.dags.models import Run
from portal.dags.runs import run_actions, run_notices, wanted
from portal.operations.models import Operation
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.runs import log_views, notice_views, run_view
from portal.web.runs.forms import ChangeForm


@require_safe
@requires(Permission.OPERATE)
def run_detail(request: Request, ref: str) -> HttpResponse:
    """The last known state. The worker is notified that somebody views the run, so that it reads it sooner."""
    run = _run(request, ref)
    wanted.tell_of_run(run)
    return render(request, "runs/run_detail.html", _page(request, run), part="live")


@requires(Permission.OPERATE)
@acts_from(lambda request, ref: reverse("run_detail", args=[ref]))
def run_cancel(request: Request, ref: str) -> HttpResponse:
    done = "The run is being cancelled in Airflow. Running tasks are stopped."
    return _change(request, ref, run_actions.cancel, done, "cancel")


@requires(Permission.OPERATE)
@acts_from(lambda request, ref: reverse("run_detail", args=[ref]))
def run_retry(request: Request, ref: str) -> HttpResponse:
    done = "The failed tasks are being started again in Airflow."
    return _change(request, ref, run_actions.retry, done, "retry")


@requires(Permission.OPERATE)
@acts_from(lambda request, ref: reverse("run_detail", args=[ref]))
def run_clear(request: Request, ref: str) -> HttpResponse:
    done = "The task and the tasks that depend on it are being started again in Airflow."
    return _change(request, ref, run_actions.clear_tasks, done, "clear", tasks=request.POST.getlist("task"))


def _change(
    request: Request, ref: str, act: Callable[..., Operation], done: str, name: str, **more: Any
) -> HttpResponse:
    run, form = _run(request, ref), _form(name, request.POST)
    try:
        operation = act(by=request.user, run=run, reason=form.data.get("reason", ""), **more)
    except GatehouseError as error:
        form.show_errors(error)
        return render(
            request, "runs/run_detail.html", _page(request, run, **{f"{name}_form": form}), status=error.status
        )
    messages.success(request, f"{operation.ref}: {done}")
    return redirect("run_detail", ref=run.ref)


def _run(request: Request, ref: str) -> Run:
    return queries.run_for(request.user, refs.parse(refs.RUN, ref))


def _page(request: Request, run: Run, **forms: ChangeForm) -> dict[str, Any]:
    return {
        "view": run_view.RunView(run, request.user),
        "run": run,
        "conf": json.dumps(run.conf, indent=2, ensure_ascii=False) if run.conf else "",
        "is_told": run_notices.is_asked(request.user, run),
        "changed": run.status != request.GET.get("was", run.status),
        **{f"{name}_form": _form(name) for name in ("cancel", "retry", "clear")},
        **forms,
    }


def _form(name: str, typed: Any = None) -> ChangeForm:
    """There are several on the page, so their fields have different ids."""
    return ChangeForm(typed, auto_id=f"{name}_%s")


urlpatterns = [
    path("runs/<str:ref>", run_detail, name="run_detail"),
    path("runs/<str:ref>/cancel", run_cancel, name="run_cancel"),
    path("runs/<str:ref>/retry", run_retry, name="run_retry"),
    path("runs/<str:ref>/clear", run_clear, name="run_clear"),
    path("runs/<str:ref>/notice", notice_views.run_notice, name="run_notice"),
    path("runs/<str:ref>/notice/read", notice_views.run_notice_read, name="run_notice_read"),
    path("runs/<str:ref>/log", log_views.run_log, name="run_log"),
    path("runs/<str:ref>/log.txt", log_views.run_log_text, name="run_log_text"),
]
