"""Gatehouse's two accounts in the demo's Airflow, each with a role that holds what it needs and nothing more."""

from __future__ import annotations

import airflow_bridge
from airflow_bridge import PasswordAuth

Permissions = list[tuple[str, str]]

ACCESS: Permissions = [
    ("can_read", "Users"),
    ("can_edit", "Users"),
    ("can_create", "Users"),  # create_users = "local"
    ("can_read", "Roles"),
    ("can_create", "Roles"),  # one role for each DAG and level that is granted
]
RUNS: Permissions = [
    ("can_read", "DAGs"),
    ("can_edit", "DAGs"),
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),
]


def ensure(url: str, *, admin: tuple[str, str], access: str, runs: str) -> None:
    """Make both accounts with these passwords where they do not exist yet. Raises BridgeError."""
    airflow = airflow_bridge.connect(name="demo", url=url, api="v2", auth=PasswordAuth(*admin))
    try:
        for name, password, role, permissions in (
            ("gatehouse-access", access, "GatehouseAccess", ACCESS),
            ("gatehouse-runs", runs, "GatehouseRuns", RUNS),
        ):
            if airflow.role(role) is None:
                airflow.create_role(role, permissions)
            if airflow.user(name) is None:
                airflow.create_user(
                    username=name,
                    email=f"{name}@example.com",
                    first_name="Gatehouse",
                    last_name=name.removeprefix("gatehouse-"),
                    password=password,
                    roles=[role],
                )
    finally:
        airflow.close()
