"""The Airflow installations Gatehouse speaks to: how they are, with which accounts, and what waits for them."""

from __future__ import annotations

from django.http import HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from accounts.guard import requires
from accounts.permissions import Permission
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Deployment
from portal.operations import queries as operations
from portal.ui.htmx import render
from portal.ui.request import Request
from portal.web.frame import trouble

SHOWN = 20
PURPOSE = {"granter": "gives and takes roles", "runner": "runs and pauses DAGs"}


@require_safe
@requires(Permission.SEE_DEPLOYMENTS)
def deployment_list(request: Request) -> HttpResponse:
    rows = [_row(deployment) for deployment in catalogue.deployments_in_force()]
    return render(request, "deployments/deployment_list.html", {"rows": rows, "shown": SHOWN})


def _row(deployment: Deployment) -> dict[str, object]:
    """The accounts by user name alone: how they sign in is nobody's business on a page."""
    waiting = operations.open_for(deployment)
    return {
        "deployment": deployment,
        "trouble": trouble(deployment),
        "accounts": [
            (role, spec.get("username", ""), PURPOSE.get(role, "")) for role, spec in deployment.accounts.items()
        ],
        "waiting": list(waiting[:SHOWN]),
        "waiting_count": waiting.count(),
    }


urlpatterns = [path("deployments", deployment_list, name="deployment_list")]
