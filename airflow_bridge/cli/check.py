"""check: what this Airflow is, how it is, and what our account may do there."""

from __future__ import annotations

import contextlib
from argparse import Namespace
from collections.abc import Iterable, Iterator, Mapping

from airflow_bridge import probes
from airflow_bridge.airflow import Airflow
from airflow_bridge.auth import Credentials, PasswordAuth
from airflow_bridge.capabilities import WHAT
from airflow_bridge.cli import show
from airflow_bridge.errors import BridgeError, Forbidden, Unsupported
from airflow_bridge.types import Capabilities, Component, Permission, RateLimit


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
    asked = _worth_asking(able)
    may_not = airflow.lacking(asked)
    may = asked - may_not
    if given.json:
        show.line(
            {
                **public,
                "signed_in": True,
                "account": given.auth.account,
                "roles": roles,
                "may": may,
                "may_not": may_not,
                "rate_limit": airflow.rate_limit,
            }
        )
    else:
        show.pairs(list(_of_us(given.auth.account, roles, may, may_not, airflow.rate_limit)))
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
    may: Iterable[Permission],
    may_not: Iterable[Permission],
    limit: RateLimit | None,
) -> Iterator[tuple[str, str]]:
    held = "" if roles is None else f", with {', '.join(sorted(roles)) or 'no role'}"
    yield "signed in", f"as {account}{held}"
    for name, permissions in (("may", may), ("may not", may_not)):
        for action, resource in sorted(permissions, key=lambda pair: (pair[1], pair[0])):
            yield name, f"{action} on {resource}"
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


def _worth_asking(able: Capabilities) -> frozenset[Permission]:
    """The permissions that calls of this library need and that have an effect on this Airflow."""
    return frozenset(
        pair for pair, probe in probes.OF.items() if able.can_use(pair) and (not probe.group or able.can(probe.group))
    )
