"""The page of an operable DAG, and its actions run, pause and unpause."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags import actions, queries
from portal.dags.models import RunRequest
from portal.dags.pauses import pausing
from portal.dags.requests.run_requests import ask
from portal.dags.runs import wanted
from portal.operations.models import Operation
from portal.ui import words
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.acting import acts_from
from portal.web.dags import dag_page
from portal.web.dags.forms import SwitchForm
from portal.web.dags.run_form import FORM, JSON, RunForm
from portal.web.requests import told

CARRIED = ("key", "note", "again", "reason", "ticket", "start_at")  # from one view of the form to the other
PARTS = ("run", "params", "switch", "preflight")


@require_safe
@requires(Permission.OPERATE)
def dag_detail(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    """The page of a DAG, from its stored state.

    `?enter=1` shows the form before the parameters are read, `?view=json` the JSON text, `?again=RUN-5` the values of
    an earlier run, `?conf.region=EU` the value of one parameter.
    """
    option = queries.dag_for(request.user, deployment, dag_id)
    wanted.tell_of_dag(option.state)
    part = request.htmx.target if request.htmx.target in PARTS else ""
    return render(request, "dags/dag_detail.html", dag_page.context(request, option), part=part)


def _page_of(part: str) -> Callable[[Request, str, str], str]:
    return lambda request, deployment, dag_id: f"{reverse('dag_detail', args=[deployment, dag_id])}#{part}"


@requires(Permission.OPERATE)
@acts_from(_page_of("run"))
def dag_trigger(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    """Request a run. The form has a one-time key, so a double click requests one run."""
    option = queries.dag_for(request.user, deployment, dag_id)
    form = dag_page.sent_form(request, option, request.POST)
    by, dag = request.user, option.dag
    try:
        values = form.given()
        if form.asks is not None or form.start is not None:
            return _asked(request, ask(by=by, dag=dag, **values, **form.asked()))
        run = actions.trigger(by=by, dag=dag, **values, confirmed="confirm" in request.POST)
    except (Invalid, Refused, Conflict) as error:
        form.show_errors(error)
        context = dag_page.context(request, option, run_form=form)
        return render(request, "dags/dag_detail.html", context, status=error.status)
    if run.sent_again:
        said = (
            f"You already sent this form {words.ago(run.created_at)}. It started {run.ref}; no other run was started."
        )
        messages.warning(request, f"{said} To run the DAG again, use “Run it again”.")
    return redirect("run_detail", ref=run.ref)


def _asked(request: Request, made: RunRequest) -> HttpResponse:
    told.of_sending(request, made)
    return redirect("request_detail", made.ref)


@requires(Permission.OPERATE)
@acts_from(_page_of("run"))
def dag_form(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    """The form of a run with the entered values, as fields or as JSON (`show`), or what is known before such a run.

    Nothing is changed. It is a POST because the values may be too long for an address.
    """
    option = queries.dag_for(request.user, deployment, dag_id)
    form = dag_page.sent_form(request, option, request.POST)
    if request.htmx.target == "preflight":
        context = {**dag_page.row(request.user, option, None), **dag_page.before_run(option, form, request.user)}
        return render(request, "dags/dag_detail.html", context, part="preflight")
    try:
        form.conf()  # also reads the secrets, which are not shown
        other = RunForm(
            **dag_page.form_rules(option, request.user),
            values=form.without_secrets(),
            mode=JSON if request.POST.get("show") == JSON else FORM,
            initial={name: request.POST.get(name, "") for name in CARRIED},
        )
        if other.unshown and request.POST.get("show") != JSON:
            names = ", ".join(f"“{name[:80]}”" for name in other.unshown[:12])
            raise Invalid(
                {"conf": f"The values of {names} cannot be shown in fields. They can only be edited as JSON."}
            )
        other.take_focus()
    except Invalid as error:
        form.show_errors(error)
        context = dag_page.context(request, option, run_form=form)
        response = render(request, "dags/dag_detail.html", context, part="run", status=error.status)
        response["HX-Retarget"] = "#run"  # without this header, htmx does not show a 422
        return response
    return render(request, "dags/dag_detail.html", dag_page.context(request, option, run_form=other), part="run")


@requires(Permission.OPERATE)
@acts_from(_page_of("switch"))
def dag_pause(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    done = "The DAG is being paused in Airflow. Running tasks finish; no new task starts."
    return _switch(request, deployment, dag_id, lambda form, **who: pausing.pause(until=form.end, **who), done)


@requires(Permission.OPERATE)
@acts_from(_page_of("switch"))
def dag_unpause(request: Request, deployment: str, dag_id: str) -> HttpResponse:
    done = "The DAG is being unpaused in Airflow. Queued runs can start, and the schedule continues."
    return _switch(request, deployment, dag_id, lambda form, **who: pausing.unpause(**who), done)


def _switch(request: Request, deployment: str, dag_id: str, act: Callable[..., Operation], done: str) -> HttpResponse:
    option = queries.dag_for(request.user, deployment, dag_id)
    form = SwitchForm(request.POST)
    try:
        operation = act(form, by=request.user, dag=option.dag, reason=form.data.get("reason", ""))
    except (Invalid, Refused, Conflict) as error:
        form.show_errors(error)
        return render(
            request, "dags/dag_detail.html", dag_page.context(request, option, switch_form=form), status=error.status
        )
    messages.success(request, f"{operation.ref}: {done}")
    return redirect("dag_detail", deployment=deployment, dag_id=dag_id)


urlpatterns = [
    path("dags/<str:deployment>/<str:dag_id>", dag_detail, name="dag_detail"),
    path("dags/<str:deployment>/<str:dag_id>/runs", dag_trigger, name="dag_trigger"),
    path("dags/<str:deployment>/<str:dag_id>/form", dag_form, name="dag_form"),
    path("dags/<str:deployment>/<str:dag_id>/pause", dag_pause, name="dag_pause"),
    path("dags/<str:deployment>/<str:dag_id>/unpause", dag_unpause, name="dag_unpause"),
]
