"""The page of the deployments: their state, Gatehouse's accounts there, and waiting operations."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.access import queries as access
from portal.airflow import states
from portal.airflow.models import DeploymentState
from portal.airflow.states import state_of
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Deployment
from portal.core import clock
from portal.operations import processes
from portal.operations import queries as operations
from portal.operations.models import Process
from portal.ui import words
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.frame import trouble
from portal.worker import readiness

SHOWN = 20
PURPOSE = {"granter": "gives and takes roles", "runner": "runs and pauses DAGs"}
KINDS = {"token": "an API token", "google": "a Google account", "mwaa": "an AWS identity"}


@require_safe
@requires(Permission.SEE_DEPLOYMENTS)
def deployment_list(request: Request) -> HttpResponse:
    rows = [_row(deployment) for deployment in states.listed()]
    context = {"rows": rows, "shown": SHOWN, "itself": _itself()}
    return render(request, "deployments/deployment_list.html", context)


def _itself() -> dict[str, object]:
    """The state of the portal's own processes."""
    found = readiness.look()
    return {
        "problems": found.problems,
        "notes": found.notes,
        "overdue": found.overdue,
        "processes": [
            {"process": process, "silent": processes.is_silent(process), "clock": _clock(process)}
            for process in found.processes
        ],
    }


def _clock(process: Process) -> str:
    ahead = process.ahead_ms / 1000
    return f"{readiness.apart(ahead)} the database's" if readiness.is_notable(ahead) else "correct"


def _row(deployment: Deployment) -> dict[str, object]:
    waiting, state = operations.open_for(deployment), state_of(deployment)
    return {
        "deployment": deployment,
        "state": state,
        "trouble": trouble(deployment),
        "locked_out": state.status == state.Status.NEEDS_REAUTHENTICATION,
        "accounts": [_account(deployment, role) for role in deployment.accounts],
        "parts": [_part(name, status) for name, status in state.health.items()],
        "limits": _limits(state),
        "offered": catalogue.dags_in_force().filter(deployment=deployment).count(),
        "waiting": list(waiting[:SHOWN]),
        "waiting_count": waiting.count(),
        "differing": list(access.differing(airflows.with_same_address(deployment))[:SHOWN]),
    }


def _account(deployment: Deployment, role: str) -> dict[str, object]:
    """An account, without its credentials."""
    spec = deployment.accounts[role]
    return {
        "role": role,
        "name": spec.get("username") or spec.get("client_id") or KINDS.get(spec.get("kind", ""), ""),
        "purpose": PURPOSE.get(role, ""),
        "refused": state_of(deployment).refuses(role),
        "lacks": state_of(deployment).lacking.get(role),
    }


def _part(name: str, status: str) -> dict[str, str]:
    """A component of Airflow and its health. One that reports nothing may not run, or may be part of another one."""
    tone = {"healthy": "good", "unhealthy": "refused"}.get(status, "")
    return {"name": name.replace("_", " "), "status": status or "not reported", "tone": tone}


def _limits(state: DeploymentState) -> list[str]:
    said = [f"{role}: {_limit(limit)}" for role, limit in state.rate_limits.items() if limit]
    if state.waits_until and state.waits_until > clock.now():
        said.append(f"Airflow accepts no calls until {words.spoken(state.waits_until)}")
    return said


def _limit(limit: dict[str, float | None]) -> str:
    said = []
    if limit.get("remaining") is not None:
        said.append(f"{limit['remaining']:.0f} calls left")
    if limit.get("limit") is not None:
        said.append(f"of {limit['limit']:.0f}")
    if limit.get("reset") is not None:
        said.append(f"reset in {limit['reset']:.0f} s")
    return " ".join(said[:2]) + (f", {said[-1]}" if len(said) > 2 else "")


urlpatterns = [path("deployments", deployment_list, name="deployment_list")]
