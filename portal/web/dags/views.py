"""The page of an operable DAG, and its actions run, pause and unpause."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.core.errors import Conflict, Invalid, Refused, why_not
from portal.dags import actions, conf, queries, secrets, wanted
from portal.dags.models import Run
from portal.dags.operation_names import PAUSE_DAG
from portal.dags.permissions import check_can_operate
from portal.dags.queries import DagOption
from portal.operations import queries as operations
from portal.operations.models import Operation
from portal.ui import words
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.dags import dag_words
from portal.web.dags.forms import RunForm, SwitchForm
from portal.web.dags.params import read
from portal.web.runs import run_again

RUNS = 10
PARTS = ("run", "params", "switch")


@require_safe
@requires(Permission.OPERATE)
def dag_detail(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    """The page of a DAG, from its stored state. With `?enter=1` the form is shown before the parameters are read."""
    option = queries.dag_for(request.user, deployment, dag_id)
    wanted.tell_of_dag(option.state)
    part = request.htmx.target if request.htmx.target in PARTS else ""
    return render(request, "dags/dag_detail.html", _page(request, option), part=part)


def _page_of(part: str) -> Callable[[Request, str, str], str]:
    return lambda request, deployment, dag_id: f"{reverse('dag_detail', args=[deployment, dag_id])}#{part}"


@requires(Permission.OPERATE)
@acts_from(_page_of("run"))
def dag_trigger(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    """Request a run. The form has a one-time key, so a double click requests one run."""
    option = queries.dag_for(request.user, deployment, dag_id)
    form = RunForm(request.POST, places=secrets.places_of(option.dag))
    try:
        values = {"conf": form.with_secrets(conf.parse(form.data.get("conf", ""))), **form.given()}
        run = actions.trigger(by=request.user, dag=option.dag, **values)
    except (Invalid, Refused) as error:
        form.show_errors(error)
        return render(request, "dags/dag_detail.html", _page(request, option, run_form=form), status=error.status)
    if run.sent_again:
        said = (
            f"You already sent this form {words.ago(run.created_at)}. It started {run.ref}; no other run was started."
        )
        messages.warning(request, f"{said} To run the DAG again, use “Run it again”.")
    return redirect("run_detail", ref=run.ref)


@requires(Permission.OPERATE)
@acts_from(_page_of("switch"))
def dag_pause(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    done = "The DAG is being paused in Airflow. Running tasks finish; no new task starts."
    return _switch(request, deployment, dag_id, actions.pause, done)


@requires(Permission.OPERATE)
@acts_from(_page_of("switch"))
def dag_unpause(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    done = "The DAG is being unpaused in Airflow. Queued runs can start, and the schedule continues."
    return _switch(request, deployment, dag_id, actions.unpause, done)


def _switch(request: Request, deployment: str, dag_id: str, act: Callable[..., Operation], done: str) -> HttpResponse:
    option = queries.dag_for(request.user, deployment, dag_id)
    form = SwitchForm(request.POST)
    try:
        operation = act(by=request.user, dag=option.dag, reason=form.data.get("reason", ""))
    except (Invalid, Refused, Conflict) as error:
        form.show_errors(error)
        return render(request, "dags/dag_detail.html", _page(request, option, switch_form=form), status=error.status)
    messages.success(request, f"{operation.ref}: {done}")
    return redirect("dag_detail", deployment=deployment, dag_id=dag_id)


def row(user: User, option: DagOption, started: Run | None) -> dict[str, Any]:
    """The data of one DAG for the templates. started: its last run requested in the portal."""
    why_not_switch = why_not(lambda by, dag: check_can_operate(by, dag, "pause"), user, option.dag)
    state = option.state
    return {
        "option": option,
        "dag": option.dag,
        "state": state,
        "last_run": dag_words.last_run(state, started),
        "switched": queries.switched(state),
        "why_not_switch": why_not_switch,
    }


def _switch_failed(option: DagOption) -> Operation | None:
    """The last pause or unpause if it failed and the DAG is still not as requested; else None."""
    last = queries.switches_of(option.dag).last()
    if last is None or last.status != Operation.Status.FAILED:
        return None
    wanted = last.kind == PAUSE_DAG
    return None if option.state and option.state.paused is wanted else last


def _pretty(values: dict[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False)


def _page(request: Request, option: DagOption, **forms: Any) -> dict[str, Any]:
    params = read(option)
    locked = secrets.mask_locked(option.dag)
    fixed = {name: value for name, value in option.dag.locked.items() if locked[name] == value}
    again = run_again.asked_for(request, option.dag)
    values = run_again.conf(again) if again else params.defaults
    values = {name: value for name, value in values.items() if name not in option.dag.locked}
    places = [place for place in params.places if place.path[0] not in option.dag.locked]
    switching = queries.switches_of(option.dag).filter(status__in=operations.OPEN).last()
    runs = list(queries.runs_visible_to(request.user).filter(dag=option.dag)[:RUNS])
    return {
        **row(request.user, option, runs[0] if runs else None),
        "params": params,
        "waits": params.is_awaited and "enter" not in request.GET,
        "again": again,
        "not_taken_over": run_again.not_taken_over(again) if again else [],
        "locked": [(name, json.dumps(value, ensure_ascii=False)) for name, value in locked.items()],
        "runs": runs,
        "switching": switching,
        "switch_failed": None if switching else _switch_failed(option),
        "switching_waits": operations.why_waiting(switching) if switching else "",
        "starts": dag_words.starts(option),
        "run_form": RunForm(
            initial={
                "conf": _pretty({**values, **fixed}),
                "note": again.note if again else "",
                "key": uuid.uuid4().hex,
            },
            places=places,
        ),
        "switch_form": SwitchForm(),
        **forms,
    }


urlpatterns = [
    path("dags/<str:deployment>/<str:dag_id>", dag_detail, name="dag_detail"),
    path("dags/<str:deployment>/<str:dag_id>/runs", dag_trigger, name="dag_trigger"),
    path("dags/<str:deployment>/<str:dag_id>/pause", dag_pause, name="dag_pause"),
    path("dags/<str:deployment>/<str:dag_id>/unpause", dag_unpause, name="dag_unpause"),
]
