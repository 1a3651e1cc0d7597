"""What a deployment is found to be like: what it can do, how its parts are, what Gatehouse's accounts lack there.

Kept as `Deployment.found`, which pages show and rules go by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
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
    capabilities,
)
from portal.airflow import needs, service_accounts
from portal.catalogue.models import Deployment, Entitlement
from portal.catalogue.queries import dags_in_force, entitlements_in_force
from portal.core import clock

EVERY = timedelta(minutes=10)  # how often permissions and capabilities are looked into; health at every look

Found = dict[str, Any]


def find(deployment: Deployment, granter: Airflow, runner: Airflow) -> Found:
    """What is found now; what changes seldom is taken from last time while that is fresh. Raises BridgeError."""
    found = {name: value for name, value in deployment.found.items() if name not in ("refused", "asks_to_wait")}
    found["health"] = _health(runner)
    found["rate_limits"] = {name: _rate_limit(client) for name, client in (("granter", granter), ("runner", runner))}
    found["clock_ahead"] = _clock_ahead(runner)
    if deployment.status == Deployment.Status.UP and not _is_stale(found):
        return found
    can = runner.capabilities(fresh=True)
    return found | {
        "looked_into_at": clock.now().isoformat(),
        "auth_manager": can.auth_manager,
        "missing": dict(can.missing),
        "can": [words for what, words in capabilities.WHAT.items() if can.can(what)],
        "cannot": [[words, can.missing[what]] for what, words in capabilities.WHAT.items() if not can.can(what)],
        "lacking": {
            "granter": (
                _lacking(needs.of_use(needed(deployment, "granter"), can), granter.lacking) if can.can("users") else []
            ),
            "runner": _lacking(needed(deployment, "runner"), partial(_runner_lacks, deployment, granter, runner)),
        },
    }


def needed(deployment: Deployment, account: str) -> dict[Permission, str]:
    """The permissions an account must have there for what the catalogue offers, each with what it is for."""
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
    """[what, what for] of each missing permission."""
    try:
        missing = find_lacking(wanted)
    except BridgeError as error:
        return [["its missing permissions could not be found out", str(error)]]
    return [[f"{action} on {on}", wanted[action, on]] for action, on in sorted(missing)]


def _runner_lacks(
    deployment: Deployment, granter: Airflow, runner: Airflow, wanted: Iterable[Permission]
) -> frozenset[Permission]:
    """Read by the granter, who may read everybody's roles; where that does not go, the runner finds out by asking."""
    if username := deployment.accounts["runner"].get("username"):
        with suppress(Forbidden, NotFound, Unsupported):
            return granter.lacking(wanted, username=username)
    return runner.lacking(wanted)


def _health(runner: Airflow) -> dict[str, str]:
    """Empty where it is not told, as what stands before an Airflow may have it."""
    try:
        return {name: part.status for name, part in runner.health().items()}
    except (Forbidden, NotFound, Unauthorised, Unexpected, Unsupported):
        return {}


def asks_to_wait(error: RateLimited) -> str:
    """Until when an Airflow wants to be left alone, as it is kept; empty where it does not say."""
    return (clock.now() + timedelta(seconds=error.retry_after)).isoformat() if error.retry_after else ""


def _rate_limit(airflow: Airflow) -> Found | None:
    seen = airflow.rate_limit
    return {"limit": seen.limit, "remaining": seen.remaining, "reset": seen.reset} if seen else None


def _clock_ahead(airflow: Airflow) -> float | None:
    """Seconds by which Airflow's clock is ahead of the database's."""
    ahead = airflow.clock_ahead
    return None if ahead is None else round(ahead + clock.ahead().total_seconds(), 1)


def _is_stale(found: Found) -> bool:
    at = found.get("looked_into_at")
    return at is None or clock.now() - datetime.fromisoformat(at) > EVERY
