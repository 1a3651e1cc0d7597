"""Reading the properties of a deployment: capabilities, health, missing permissions, rate limits, clock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

from airflow_bridge import (
    Airflow,
    BridgeError,
    Forbidden,
    NotFound,
    Permission,
    RateLimited,
    Unauthorised,
    Unexpected,
    Unsupported,
)
from portal.airflow import needs, service_accounts
from portal.airflow.models import DeploymentState
from portal.catalogue.models import Deployment, Entitlement
from portal.catalogue.queries import dags_in_force, entitlements_in_force
from portal.core import clock

EVERY = timedelta(minutes=10)  # how often capabilities and permissions are read; health at every check

LONGEST = 200  # characters of the auth manager's name
Columns = dict[str, Any]


def find(state: DeploymentState, granter: Airflow, runner: Airflow, *, examine: bool = False) -> Columns:
    """Read the columns of DeploymentState from Airflow. Raises BridgeError.

    examine: read capabilities and permissions too, even if they were read a short time ago.
    """
    found: Columns = {
        "asks_to_wait": False,
        "waits_until": None,
        "health": _health(runner),
        "rate_limits": {name: _rate_limit(client) for name, client in (("granter", granter), ("runner", runner))},
        "clock_ahead": _clock_ahead(runner),
    }
    fresh = state.examined_at is not None and clock.now() - state.examined_at <= EVERY
    if fresh and state.status == DeploymentState.Status.UP and not examine:
        return found | {"airflow_version": runner.capabilities().version}
    can, deployment = runner.capabilities(fresh=True), state.deployment
    granter_needs, runner_needs = (needs.effective(needed(deployment, name), can) for name in ("granter", "runner"))
    return found | {
        "airflow_version": can.version,
        "auth_manager": can.auth_manager[:LONGEST],
        "examined_at": clock.now(),
        "missing": dict(can.missing),
        "granter_lacks": _lacking(granter_needs, granter.lacking) if can.can("users") else [],
        "runner_lacks": _lacking(runner_needs, partial(_runner_lacks, deployment, granter, runner)),
    }


def needed(deployment: Deployment, account: str) -> dict[Permission, str]:
    """The permissions that an account needs for the offers of the catalogue, each with its purpose."""
    offered = entitlements_in_force().filter(deployment=deployment, kind=Entitlement.Kind.DAG)
    return service_accounts.permissions(
        account,
        api=deployment.api,
        creates_users=deployment.create_users == Deployment.CreateUsers.LOCAL,
        dag_roles=offered.exists(),
        runs=dags_in_force().filter(deployment=deployment).exists(),
        variables=bool(deployment.variables),
    )


def _lacking(
    wanted: Mapping[Permission, str], find_lacking: Callable[[Iterable[Permission]], frozenset[Permission]]
) -> list[list[str]]:
    """[permission, purpose] of each missing permission."""
    try:
        missing = find_lacking(wanted)
    except BridgeError as error:
        return [["its missing permissions could not be found out", str(error)]]
    return [[f"{action} on {on}", wanted[action, on]] for action, on in sorted(missing)]


def _runner_lacks(
    deployment: Deployment, granter: Airflow, runner: Airflow, wanted: Iterable[Permission]
) -> frozenset[Permission]:
    """The missing permissions of the runner. The granter reads them, because it may read all roles. If that is not
    possible, the runner finds them by calls that Airflow refuses or not."""
    if username := deployment.accounts["runner"].get("username"):
        with suppress(Forbidden, NotFound, Unsupported):
            return granter.lacking(wanted, username=username)
    return runner.lacking(wanted)


def _health(runner: Airflow) -> dict[str, str]:
    """Empty if a proxy blocks the health endpoint."""
    try:
        return {name: part.status for name, part in runner.health().items()}
    except (Forbidden, NotFound, Unauthorised, Unexpected, Unsupported):
        return {}


def asks_to_wait(error: RateLimited) -> Columns:
    """The columns after an answer 429."""
    until = clock.now() + timedelta(seconds=error.retry_after) if error.retry_after else None
    return {"asks_to_wait": True, "waits_until": until}


def _rate_limit(airflow: Airflow) -> Columns | None:
    seen = airflow.rate_limit
    return {"limit": seen.limit, "remaining": seen.remaining, "reset": seen.reset} if seen else None


def _clock_ahead(airflow: Airflow) -> float | None:
    """Seconds by which Airflow's clock is ahead of the database's."""
    ahead = airflow.clock_ahead
    return None if ahead is None else round(ahead + clock.ahead().total_seconds(), 1)
