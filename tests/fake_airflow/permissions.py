"""The permissions a fake Airflow starts with: its built-in roles, as FAB gives them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_bridge.types import Permission

ACTIONS = ("can_read", "can_edit", "can_create", "can_delete", "menu_access")
RESOURCES = (
    "Audit Logs",
    "Backfills",
    "Cluster Activity",
    "Configurations",
    "Connections",
    "DAG Code",
    "DAG Runs",
    "DAG Warnings",
    "DAGs",
    "HITL Detail",
    "ImportError",
    "Jobs",
    "Permissions",
    "Plugins",
    "Pools",
    "Providers",
    "Roles",
    "Task Instances",
    "Task Logs",
    "Users",
    "Variables",
    "Website",
    "XComs",
)
MISSING = {"v1": frozenset({"Backfills", "HITL Detail"}), "v2": frozenset[str]()}
_VIEW: frozenset[Permission] = frozenset(
    ("can_read", on)
    for on in (
        "Backfills",
        "Cluster Activity",
        "DAG Code",
        "DAG Runs",
        "DAG Warnings",
        "DAGs",
        "HITL Detail",
        "ImportError",
        "Jobs",
        "Pools",
        "Task Instances",
        "Task Logs",
        "Website",
        "XComs",
    )
)
_USE: frozenset[Permission] = _VIEW | {
    ("can_edit", "DAGs"),
    ("can_delete", "DAGs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_delete", "DAG Runs"),
    ("can_create", "Task Instances"),
    ("can_edit", "Task Instances"),
    ("can_delete", "Task Instances"),
    ("can_edit", "HITL Detail"),
}
_OPERATE: frozenset[Permission] = (
    _USE
    | {(action, on) for action in ACTIONS[:4] for on in ("Connections", "Variables")}
    | {(action, on) for action in ACTIONS[1:4] for on in ("Backfills", "Pools", "XComs")}
    | {("can_read", on) for on in ("Configurations", "Plugins", "Providers")}
)
BUILT_IN: Mapping[str, frozenset[Permission]] = {
    "Admin": frozenset((action, on) for action in ACTIONS for on in RESOURCES),
    "Op": _OPERATE,
    "Public": frozenset(),
    "User": _USE,
    "Viewer": _VIEW,
}

# of the simple auth manager, which has no others; everybody may read the event log
SIMPLE: Mapping[str, frozenset[Permission]] = {
    name.lower(): pairs | {("can_read", "Audit Logs")} for name, pairs in BUILT_IN.items() if name != "Public"
}


def of_dag(dag_id: str) -> Iterator[Permission]:
    """What exists about one DAG once it was parsed."""
    for action in ("can_read", "can_edit", "can_delete"):
        yield action, f"DAG:{dag_id}"
    for action in ("can_read", "can_create", "can_delete", "menu_access"):
        yield action, f"DAG Run:{dag_id}"
