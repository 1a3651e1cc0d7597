"""The home page: waiting decisions, oversight, the reader's access and open requests, and DAGs to run."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts import roles
from accounts.guard import requires
from accounts.models import User
from accounts.permissions import Permission
from portal.access import queries as access
from portal.airflow import states
from portal.airflow.models import DeploymentState
from portal.approvals import kinds
from portal.approvals import queries as approvals
from portal.approvals.timeline import timeline
from portal.dags import human
from portal.dags import queries as dags
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web import lists
from portal.web.audit import rows
from portal.web.dags import human_tasks
from portal.web.kinds import registry
from portal.web.permits.held import permit_rows

TOP = 3
SHOWN = 6


@require_safe
@requires(Permission.HOME)
def home(request: Request) -> HttpResponse:
    user = request.user
    found = list(lists.returned_first(lists.on_its_way(lists.asked_by(user)))[: SHOWN + 1])
    waiting = registry.rows(approvals.full(found[:SHOWN]))
    operable = dags.operable_by(user)
    runnable = [option for option in operable if option.may_run][:SHOWN]
    context = {
        "decide": _decide(user) if roles.has(user, Permission.DECIDE) else None,
        "trail": {"check": rows.last_check()} if roles.has(user, Permission.AUDIT) else None,
        "deployment_states": _deployment_states() if roles.has(user, Permission.SEE_DEPLOYMENTS) else [],
        "not_started": list(dags.not_started(user)[:SHOWN]),
        "human_tasks": human_tasks.rows(human.waiting_for(user)),
        "taken": list(access.ended_early(user)[:SHOWN]),
        "differing": list(access.differing()[:SHOWN]) if roles.has(user, Permission.SEE_DEPLOYMENTS) else [],
        "permits": permit_rows(user),
        "held": [grant for grant in access.held_by(user) if lists.is_in_airflow(grant)],
        "waiting": [(row, _step(row.request, user)) for row in waiting],
        "more_waiting": len(found) > SHOWN,
        "runnable": runnable,
        "as_of": min((option.state.seen_at for option in runnable if option.state), default=None),
        "to_ask": sum(option.must_ask for option in operable),
        "more_dags": len(operable) - len(runnable),
    }
    return render(request, "home/home.html", context)


def _decide(user: User) -> dict[str, Any]:
    """The number of waiting decisions, the time of the oldest, and the first ones."""
    top = approvals.full(approvals.decidable_by(user)[:TOP])
    return {
        "count": approvals.count_for(user) if len(top) == TOP else len(top),
        "oldest": top[0].created_at if top else None,
        "top": [(asked, kinds.of(asked).sentence(asked)) for asked in top],
    }


def _deployment_states() -> list[DeploymentState]:
    return [states.state_of(deployment) for deployment in states.listed()]


def _step(asked: Any, reader: User) -> str:
    """The title of a request's current step."""
    if asked.status == asked.Status.RETURNED and asked.requester_id == reader.pk:
        return "You can change it and send it again"
    steps = timeline(asked)
    current = [step for step in steps if step.state in ("now", "bad")] or steps[-1:]
    return current[-1].title


urlpatterns = [path("", home, name="home")]
