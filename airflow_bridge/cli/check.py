"""check: everything one wants to know before giving an account to somebody, or after something went wrong."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterator, Mapping

from airflow_bridge import needs
from airflow_bridge.auth import Credentials, PasswordAuth
from airflow_bridge.capabilities import WHAT
from airflow_bridge.cli import show
from airflow_bridge.client import Airflow
from airflow_bridge.errors import BridgeError, Forbidden, Unsupported
from airflow_bridge.types import Capabilities, Component, Permission, RateLimit

GRANTER = {**needs.GRANTER, **needs.CREATING_USERS, **needs.DAG_ROLES}
RUNNER = needs.RUNNER
OF_AIRFLOW_2 = {("can_edit", "Task Instances")}


def check(airflow: Airflow, given: Namespace) -> int:
    """What is public comes first, so that it is there when signing in fails."""
    able, health = airflow.capabilities(fresh=True), airflow.health()
    public = {
        "name": airflow.name,
        "version": able.version,
        "api": able.api,
        "auth_manager": able.auth_manager,
        "health": health,
        "missing": able.missing,
    }
    if not given.json:
        show.pairs(_of_airflow(airflow, able, health))
    try:
        airflow.check()
    except BridgeError:
        if given.json:
            show.line({**public, "signed_in": False})
        raise
    roles = _our_roles(airflow, given.auth)
    lacking = {"granter": _lacking(airflow, able, GRANTER, "users"), "runner": _lacking(airflow, able, RUNNER, "runs")}
    if given.json:
        show.line(
            {
                **public,
                "signed_in": True,
                "account": given.auth.account,
                "roles": roles,
                "lacking": {account: None if lack is None else set(lack) for account, lack in lacking.items()},
                "rate_limit": airflow.rate_limit,
            }
        )
    else:
        show.pairs(list(_of_us(given.auth.account, roles, lacking, airflow.rate_limit)))
    return 0


def _of_airflow(airflow: Airflow, able: Capabilities, health: Mapping[str, Component]) -> list[tuple[str, str]]:
    manager = f", {able.auth_manager} auth manager" if able.auth_manager else ""
    parts = ", ".join(f"{name} {part.status or 'not there'}" for name, part in sorted(health.items()))
    missing = [("missing", f"{WHAT[what]}: {why}") for what, why in able.missing.items()]
    return [
        ("Airflow", f"{able.version} at {airflow.name} (API {able.api}{manager})"),
        ("health", parts or "it says nothing"),
        *(missing or [("missing", "nothing")]),
    ]


def _of_us(
    account: str,
    roles: frozenset[str] | None,
    lacking: Mapping[str, Mapping[Permission, str] | None],
    limit: RateLimit | None,
) -> Iterator[tuple[str, str]]:
    held = "" if roles is None else f", with {', '.join(sorted(roles)) or 'no role'}"
    yield "signed in", f"as {account}{held}"
    for part, lack in lacking.items():
        if lack is None:
            yield part, "not possible here"
        elif not lack:
            yield part, "may do all that is needed"
        else:
            for (action, resource), why in sorted(lack.items()):
                yield part, f"lacks {action} on {resource} (to {why})"
    yield "limit", _limit(limit)


def _limit(limit: RateLimit | None) -> str:
    if limit is None:
        return "none is told"
    left = "?" if limit.remaining is None else limit.remaining
    of = "?" if limit.limit is None else limit.limit
    return f"{left} of {of} calls left" + ("" if limit.reset is None else f" for {limit.reset:.0f} s")


def _our_roles(airflow: Airflow, auth: Credentials) -> frozenset[str] | None:
    """None where we have no name there, or may not read it."""
    username = auth.username if isinstance(auth, PasswordAuth) else ""
    with contextlib.suppress(Forbidden, Unsupported):
        user = airflow.user(username) if username else None
        return user.roles if user else None
    return None


def _lacking(
    airflow: Airflow, able: Capabilities, needed: Mapping[Permission, str], what: str
) -> Mapping[Permission, str] | None:
    """None where this Airflow has nothing that they could be needed for."""
    if not able.can(what):
        return None
    needed = needs.of_use(needed, able)
    lack = airflow.lacking(needed if able.api == "v1" else needed.keys() - OF_AIRFLOW_2)
    return {pair: why for pair, why in needed.items() if pair in lack}
