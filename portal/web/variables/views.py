"""The pages of Airflow's variables: the list, and one variable with the form that changes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.http import require_http_methods, require_safe

from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.airflow.states import state_of
from portal.approvals import queries as requests
from portal.approvals.principals import Deciders
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core.errors import Conflict, Invalid, Refused, why_not
from portal.dags.models import VariableRequest, VariableState
from portal.dags.parameters.schema_words import in_words
from portal.dags.variables import changing, observing, offered, values
from portal.dags.variables.offered import Offered, Policies
from portal.operations import queries as operations
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.frame import trouble
from portal.web.requests import policy_words, told
from portal.web.variables.forms import VariableForm

CHANGES = 20


@require_safe
@requires(Permission.OPERATE)
def variable_list(request: Request) -> HttpResponse:
    """The variables that the reader may see, by deployment. With `?deployment=` only those of one."""
    wanted, policies = request.GET.get("deployment", ""), catalogue.policies_in_force()
    found = [one for one in offered.visible_to(request.user, policies) if wanted in ("", one.deployment.name)]
    states = observing.states_of(found)
    by_deployment: dict[str, list[dict[str, Any]]] = {}
    for one in found:
        row = _row(request.user, one, states.get((one.deployment.pk, one.key)), policies)
        by_deployment.setdefault(one.deployment.name, []).append(row)
    context = {"groups": by_deployment.items(), "several": len(by_deployment) > 1}
    return render(request, "variables/variable_list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.OPERATE)
def variable_detail(request: Request, deployment: str, key: str) -> HttpResponse:
    """A variable, its last changes and the form that changes it. `?value=` fills in the form."""
    variable = offered.find_for(request.user, deployment, key)
    state, policy = observing.state_of(variable), _policy(request.user, variable)
    begin_with = request.GET.get("value", _latest(variable, state))
    form, status = VariableForm(request.POST or None, variable=variable, begin_with=begin_with, policy=policy), 200
    if request.method == "POST":
        try:
            return _sent(request, variable, state, form)
        except (Invalid, Refused, Conflict) as error:
            form.show_errors(error)
            status = error.status
    context = {
        **_row(request.user, variable, state, catalogue.policies_in_force()),
        **_changes(request.user, variable),
        "form": form,
        "deciders": _deciders(request.user, policy),
        "trouble": trouble(variable.deployment) if state_of(variable.deployment) else "",
    }
    part = "value" if request.htmx.target == "value-now" else ""
    return render(request, "variables/variable_detail.html", context, part=part, status=status)


def _latest(variable: Offered, state: VariableState | None) -> str | None:
    """The value that the variable has, or gets by a change that is on its way."""
    if open_changes := observing.open_changes(variable):
        return str(open_changes[-1].payload["value"])
    return state.value if state is not None else None


def _sent(request: Request, variable: Offered, state: VariableState | None, form: VariableForm) -> HttpResponse:
    by, given = request.user, form.given()
    about: dict[str, Any] = {"deployment": variable.deployment, "key": variable.key}
    at_once = offered.may_change_at_once(by, variable)
    may_act = at_once or not why_not(offered.check_can_ask, by, variable)  # the action records the refusal of others
    is_same = state is not None and state.value == given["value"] and not observing.open_changes(variable)
    if may_act and is_same:
        raise Invalid({"value": f"{variable.key} has this value already. Choose another one."})
    if at_once:
        operation = changing.change(by=by, **about, **given)
        messages.success(request, f"{operation.ref} changes {variable.key}. This page shows when it is done.")
        return redirect("variable_detail", variable.deployment.name, variable.key)
    made = changing.ask(by=by, **about, **given, **form.asked())
    told.of_sending(request, made)
    return redirect("request_detail", made.ref)


def _policy(user: User, variable: Offered) -> PolicySpec | None:
    """The policy by which this person asks for a change; None if they need none or cannot ask."""
    may_ask = not offered.may_change_at_once(user, variable) and variable.policy
    return catalogue.policies_in_force().get(variable.policy) if may_ask else None


def _row(user: User, variable: Offered, state: VariableState | None, policies: Policies) -> dict[str, Any]:
    """The data of one variable for the templates."""
    at_once, refused = offered.may_change_at_once(user, variable), ""
    if not at_once:
        try:
            offered.check_can_change(user, variable, policies)
        except Refused as refusal:
            refused = "" if refusal.reason == "needs_approval" else refusal.detail
    return {
        "variable": variable,
        "state": state,
        "allowed": in_words(variable.schema) if variable.schema else "any text",
        "is_outside": state is not None and state.value is not None and not _is_allowed(variable, state.value),
        "asking": offered.asking(variable),
        "at_once": at_once,
        "why_not": refused,
    }


def _is_allowed(variable: Offered, value: str) -> bool:
    try:
        values.allowed(variable, value)
    except Invalid:
        return False
    return True


def _changes(user: User, variable: Offered) -> dict[str, Any]:
    open_changes = observing.open_changes(variable)
    rows = VariableRequest.objects.filter(about=variable.subject, closed_at=None).order_by("-pk")
    return {
        "open_changes": [(one, operations.why_waiting(one)) for one in open_changes],
        "asked": list(requests.visible_to(user, rows).select_related("requester")[:CHANGES]),
        "changes": observing.changes_of(variable, most=CHANGES),
    }


def _deciders(user: User, policy: PolicySpec | None) -> list[str]:
    """The approvers of each step, in words."""
    deciders, stages = Deciders(), policy.stages if policy else ()
    named: Iterable[str] = (
        policy_words.deciders(deciders.named_by(stage.approvers, without={user.pk}), stage) for stage in stages
    )
    return list(named)


urlpatterns = [
    path("variables", variable_list, name="variable_list"),
    path("variables/<str:deployment>/<str:key>", variable_detail, name="variable_detail"),
]
