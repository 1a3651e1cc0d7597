"""Reading and resetting the stored state of deployments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.db.models import Q, QuerySet

from portal.airflow.models import DeploymentState
from portal.catalogue.models import Deployment
from portal.catalogue.queries import deployments_in_force

S = DeploymentState.Status
OBSERVED = (
    "checked_at",
    "asks_to_wait",
    "waits_until",
    "airflow_version",
    "auth_manager",
    "examined_at",
    "missing",
    "granter_lacks",
    "runner_lacks",
    "health",
    "rate_limits",
    "clock_ahead",
)
"""The columns that are reset when the settings of a deployment change."""


def state_of(deployment: Deployment) -> DeploymentState:
    """The last known state; a new row that is not saved if nothing is known yet."""
    try:
        return deployment.state
    except DeploymentState.DoesNotExist:
        return DeploymentState(deployment=deployment)


def why_unreadable(deployment: Deployment) -> str:
    """In words, why the runner cannot read from this Airflow now; empty if nothing prevents it."""
    state = state_of(deployment)
    if state.status == S.DOWN:
        return f"Airflow on {deployment.name} is unreachable."
    return f"Airflow on {deployment.name} refuses Gatehouse's account." if state.refuses("runner") else ""


def why_not(deployment: Deployment, what: str) -> str:
    """In words, why this Airflow does not have a capability such as "users"; empty if it has it."""
    return str(state_of(deployment).missing.get(what, ""))


def listed() -> QuerySet[Deployment]:
    """The deployments in force, with their states."""
    return deployments_in_force().select_related("state")


def in_trouble() -> QuerySet[Deployment]:
    """The deployments in force that are unreachable, refuse an account or are read-only."""
    return listed().filter(Q(state__status__in=[S.DOWN, S.NEEDS_REAUTHENTICATION]) | Q(read_only=True))


def reset(deployments: Sequence[Deployment]) -> None:
    """Reset the observed state after a configuration change; the worker checks these deployments next.

    The status stays until the check. If an account was refused, both count as refused until then.
    """
    ensure(deployments)
    rows = DeploymentState.objects.filter(deployment__in=deployments)
    unknown = DeploymentState()
    rows.update(**{name: getattr(unknown, name) for name in OBSERVED})
    rows.filter(status=S.NEEDS_REAUTHENTICATION).update(granter_refused=True, runner_refused=True)


def ensure(deployments: Iterable[Deployment]) -> None:
    """Create the rows of deployments that have none."""
    rows = [DeploymentState(deployment=deployment) for deployment in deployments]
    DeploymentState.objects.bulk_create(rows, ignore_conflicts=True)
