"""The data of a DAG's page: its state, the form of a run, what is known before a run, its last runs."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import QueryDict

from accounts.models import User
from portal.approvals.principals import Deciders
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Dag
from portal.core.errors import Invalid, why_not
from portal.dags import human, preflight, queries
from portal.dags.models import Run
from portal.dags.operation_names import PAUSE_DAG
from portal.dags.parameters import declared as declarations
from portal.dags.parameters import params, secrets
from portal.dags.pauses import catching_up
from portal.dags.permissions import check_can_operate
from portal.dags.queries import DagOption
from portal.operations import queries as operations
from portal.operations.models import Operation
from portal.ui.request import Request
from portal.web.dags import dag_words, human_tasks, links
from portal.web.dags.dag_facts import facts
from portal.web.dags.forms import SwitchForm
from portal.web.dags.params import read
from portal.web.dags.run_form import JSON, RunForm
from portal.web.requests import policy_words
from portal.web.runs import run_again

RUNS = 10
USED = 5  # sets of parameters that are offered again
LOOKED_AT = 50  # runs among which they are searched


def context(
    request: Request, option: DagOption, *, run_form: RunForm | None = None, switch_form: SwitchForm | None = None
) -> dict[str, Any]:
    """run_form, switch_form: the form that was sent, if it has errors or is shown in its other view."""
    known = read(option)
    form = run_form or empty_form(request, option)
    again = run_again.asked_for(request, option.dag)
    switching = queries.switches_of(option.dag).filter(status__in=operations.OPEN).last()
    runs = list(queries.runs_visible_to(request.user).filter(dag=option.dag)[:LOOKED_AT])
    return {
        **row(request.user, option, runs[0] if runs else None),
        "params": known,
        "waits": known.is_awaited and "enter" not in request.GET,
        "again": again,
        "not_taken_over": run_again.not_taken_over(again) if again else [],
        "runs": runs[:RUNS],
        "used": _used(runs),
        "switching": switching,
        "switch_failed": None if switching else _switch_failed(option),
        "switching_waits": operations.why_waiting(switching) if switching else "",
        "starts": dag_words.starts(option),
        "run_form": form,
        "switch_form": switch_form or SwitchForm(),
        "last_runs": dag_words.listed(option.state),
        "facts": facts(option, catalogue.policies_in_force()),
        "catching_up": catching_up.in_words(option.state) if option.state and option.state.paused else "",
        "human_tasks": human_tasks.rows(human.waiting_of(option.dag)),
        **before_run(option, form, request.user),
    }


def before_run(option: DagOption, form: RunForm, user: User) -> dict[str, Any]:
    """The findings for the parameters of the form, and a link that fills in the form with them."""
    try:
        conf: dict[str, Any] | None = form.conf() if form.is_bound else form.begins_with()
    except Invalid:
        conf = None
    fixed = declarations.fixed_values(option.dag, requester=user.get_username())
    asked = None if conf is None else secrets.mask_for(option.dag, {**conf, **fixed})
    found = preflight.findings(option.dag, option.state, asked, by=user)
    return {
        "findings": found,
        "must_confirm": any(one.level == "stop" and not one.is_final for one in found),
        "deciders": _deciders(option, user),
        "link": "" if asked is None else links.link(form, asked),
    }


def empty_form(request: Request, option: DagOption) -> RunForm:
    """The form of a new run: with the DAG's defaults, the values of an earlier run, or those of a link."""
    again = run_again.asked_for(request, option.dag)
    values = run_again.conf(again) if again else {}
    return RunForm(
        **form_rules(option, request.user),
        values=values,
        links=links.links_in(request.GET),
        mode=JSON if request.GET.get("view") == JSON else "",
        initial={
            "key": uuid.uuid4().hex,
            "note": again.note if again else "",
            "again": again.ref if again else "",
        },
    )


def sent_form(request: Request, option: DagOption, data: QueryDict) -> RunForm:
    """The form that was sent. Fields that were not changed have the values that they began with."""
    again = run_again.named(request.user, data.get("again", ""), option.dag)
    return RunForm(data, **form_rules(option, request.user), values=run_again.conf(again) if again else {})


def form_rules(option: DagOption, user: User) -> dict[str, Any]:
    dag, known = option.dag, params.known(option.dag, option.state)
    return {
        "asks": _policy(dag) if option.must_ask else None,
        "declared": None if known.problem else declarations.of(dag, known.params, requester=user.get_username()),
        "undeclared": dag.undeclared,
        "places": [place for place in known.places if place.path[0] not in dag.locked],
    }


def _policy(dag: Dag) -> PolicySpec | None:
    return catalogue.policies_in_force().get(dag.policy)


def _deciders(option: DagOption, user: User) -> list[str]:
    """The approvers of each step for this person, in words; empty if no approval is needed."""
    policy = _policy(option.dag) if option.must_ask else None
    deciders = Deciders()
    return [
        policy_words.deciders(deciders.named_by(stage.approvers, without={user.pk}), stage)
        for stage in (policy.stages if policy else [])
    ]


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


def _used(runs: list[Run]) -> list[Run]:
    """The newest runs with different parameters."""
    found: list[Run] = []
    for run in runs:
        if len(found) < USED and run.conf and all(run.conf != other.conf for other in found):
            found.append(run)
    return found


def _switch_failed(option: DagOption) -> Operation | None:
    """The last pause or unpause if it failed and the DAG is still not as requested; else None."""
    last = queries.switches_of(option.dag).last()
    if last is None or last.status != Operation.Status.FAILED:
        return None
    wanted = last.kind == PAUSE_DAG
    return None if option.state and option.state.paused is wanted else last
