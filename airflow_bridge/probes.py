"""Probes for permissions, for an account that may not read its own roles: requests for things that do not exist.

Airflow looks at permissions first. 403 means that it is missing; "not found", or a refusal of the content, that it is
there. Nothing can come of any of these calls; those on DAGs leave an entry in Airflow's event log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_bridge.errors import Conflict, NotFound, Rejected
from airflow_bridge.types import Permission

NOWHERE = "gatehouse.no-such-dag"
NOBODY = "gatehouse.no-such-name"
PERMITTED = (NotFound, Rejected, Conflict)


@dataclass(frozen=True)
class Probe:
    method: str
    path: str
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str | int] | None = None
    group: str = ""
    """"users" or "roles" where the path is below those."""


def _table() -> dict[Permission, Probe]:
    dag = f"/dags/{NOWHERE}"
    run = f"{dag}/dagRuns/{NOBODY}"
    one: Mapping[str, str | int] = {"limit": 1}
    unknown = [{"name": NOBODY}]
    person = dict.fromkeys(("username", "email", "first_name", "last_name", "password"), NOBODY)
    pair = [{"action": {"name": NOBODY}, "resource": {"name": NOBODY}}]
    return {
        ("can_read", "DAGs"): Probe("GET", "/dags", params=one),
        ("can_edit", "DAGs"): Probe("PATCH", dag, {"is_paused": True}, {"update_mask": "is_paused"}),
        ("can_read", "DAG Runs"): Probe("GET", "/dags/~/dagRuns", params=one),
        ("can_create", "DAG Runs"): Probe("POST", f"{dag}/dagRuns", {"logical_date": "2000-01-01T00:00:00Z"}),
        ("can_edit", "DAG Runs"): Probe("PATCH", run, {"state": "failed"}),
        ("can_read", "Task Instances"): Probe("GET", f"{run}/taskInstances", params=one),
        ("can_edit", "Task Instances"): Probe("POST", f"{dag}/clearTaskInstances", {"dry_run": True}),
        ("can_read", "Task Logs"): Probe("GET", f"{run}/taskInstances/{NOBODY}/logs/1"),
        ("can_read", "XComs"): Probe("GET", f"{run}/taskInstances/{NOBODY}/xcomEntries/{NOBODY}"),
        ("can_read", "HITL Detail"): Probe("GET", "/dags/~/dagRuns/~/hitlDetails", params=one),
        ("can_read", "ImportError"): Probe("GET", "/importErrors", params=one),
        ("can_read", "Variables"): Probe("GET", f"/variables/{NOBODY}"),
        ("can_edit", "Variables"): Probe("PATCH", f"/variables/{NOBODY}", {"key": NOBODY, "value": ""}),
        ("can_read", "Users"): Probe("GET", "/users", params=one, group="users"),
        ("can_create", "Users"): Probe("POST", "/users", {**person, "roles": unknown}, group="users"),
        ("can_edit", "Users"): Probe("PATCH", f"/users/{NOBODY}", {**person, "roles": unknown}, group="users"),
        ("can_read", "Roles"): Probe("GET", "/roles", params=one, group="roles"),
        ("can_create", "Roles"): Probe("POST", "/roles", {"name": NOBODY, "actions": pair}, group="roles"),
        ("can_edit", "Roles"): Probe("PATCH", f"/roles/{NOBODY}", {"name": NOBODY, "actions": pair}, group="roles"),
    }


OF: Mapping[Permission, Probe] = _table()
