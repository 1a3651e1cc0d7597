"""Finding out what an Airflow can do, from what it says about itself and never from status codes: an Airflow without
users answers 200 to a question for them, with a web page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from airflow_bridge.errors import Unexpected
from airflow_bridge.types import Capabilities

WHAT: Mapping[str, str] = {
    "users": "reading and changing people's roles",
    "roles": "reading and creating roles",
    "role_edits": "changing and deleting roles",
    "dag_permissions": "access to single DAGs",
    "runs": "starting and following runs",
    "pause": "pausing DAGs",
    "logs": "task logs",
    "variables": "variables",
    "backfills": "backfills",
    "human_tasks": "tasks that wait for a person",
}
"""Every capability, and what it is called for people."""

Signing = Literal["token", "password"]
PEOPLE = ("users", "roles", "permissions")


def of_airflow_2(version: str) -> Capabilities:
    """Airflow 2 with its FAB, which is part of it. Raises Unexpected for what is no version."""
    _number(version)
    missing = {
        "backfills": "Airflow 2 has no backfills in its API",
        "human_tasks": "Airflow 2 has no tasks that wait for a person",
    }
    groups: dict[str, Signing] = dict.fromkeys(PEOPLE, "password")
    return Capabilities(version, "v1", "FAB", missing, groups)


def of_airflow_3(version: str, auth: Any) -> Capabilities:
    """auth: what `/auth/openapi.json` says; None where it says nothing. Raises Unexpected for what is no version."""
    missing: dict[str, str] = {}
    credentials: dict[str, Signing] = {}
    title, paths = _described(auth)
    if "FAB" in title:
        manager = "FAB"
        for group in PEOPLE:
            credentials[group] = "token" if f"/fab/v1/{group}" in paths else "password"
        if credentials["roles"] == "token" and credentials["users"] == "password":
            missing["role_edits"] = "the roles of this FAB provider (3.0.3 to 3.1) cannot be changed or deleted"
    else:
        manager = "simple" if title.startswith("Simple") else title
        who = {"": "what signs people in here", "simple": "Airflow's simple auth manager"}.get(manager, f"“{title}”")
        why = f"{who} has no API for users and roles"
        missing |= dict.fromkeys(("users", "roles", "role_edits", "dag_permissions"), why)
    if _number(version) < (3, 1):
        missing["human_tasks"] = "Airflow has tasks that wait for a person since 3.1"
    return Capabilities(version, "v2", manager, missing, credentials)


def _described(auth: Any) -> tuple[str, Iterable[str]]:
    try:
        return str(auth["info"]["title"]), set(auth["paths"])
    except (KeyError, TypeError):
        return "", ()


def _number(version: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", version)
    if not found:
        raise Unexpected(
            f"Airflow says that its version is “{version[:40]}”, which is none, so what it can do is unknown. "
            "Look at its address, and at what stands in front of it."
        )
    return int(found[1]), int(found[2])
