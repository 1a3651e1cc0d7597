"""The permissions that Gatehouse's two accounts need in Airflow, each with its purpose.

There are two accounts because `can_edit` on Users is enough to become Admin: the granter runs no DAG, and the runner
cannot read or change users. The permissions are the same on Airflow 2 and 3, but HITL Detail exists since Airflow 3.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_bridge import Capabilities, Permission
from portal.catalogue.values import OWN_ROLES

GRANTER_ROLE, RUNNER_ROLE = OWN_ROLES

GRANTER: Mapping[Permission, str] = {
    ("can_read", "Users"): "find people and read back their roles",
    ("can_edit", "Users"): "give and take roles",
    ("can_read", "Roles"): "know which roles there are",
}
CREATING_USERS: Mapping[Permission, str] = {("can_create", "Users"): "create accounts for people who have none"}
DAG_ROLES: Mapping[Permission, str] = {
    ("can_create", "Roles"): "make the roles for access to single DAGs",
    ("can_edit", "Roles"): "complete such a role if its creation was interrupted",
}
RUNNER: Mapping[Permission, str] = {
    ("can_read", "DAGs"): "show DAGs",
    ("can_edit", "DAGs"): "run, pause and unpause them",
    ("can_read", "DAG Runs"): "follow runs",
    ("can_create", "DAG Runs"): "start runs",
    ("can_edit", "DAG Runs"): "cancel and retry runs",
    ("can_read", "Task Instances"): "show the tasks of a run",
    ("can_edit", "Task Instances"): "retry single tasks",
    ("can_read", "Task Logs"): "show their logs",
    ("can_read", "XComs"): "show the results of a run",
    ("can_read", "ImportError"): "show why a DAG cannot be run",
    ("can_read", "HITL Detail"): "show the tasks that wait for a person",
}
VARIABLES: Mapping[Permission, str] = {
    ("can_read", "Variables"): "read the variables that the catalogue names",
    ("can_edit", "Variables"): "change the variables that the catalogue names",
    ("can_create", "Variables"): "create variables that the catalogue names and Airflow does not have",
}


def effective(permissions: Mapping[Permission, str], can: Capabilities) -> dict[Permission, str]:
    """The permissions that have an effect in this Airflow. The others are not needed."""
    return {pair: why for pair, why in permissions.items() if can.can_use(pair)}
