"""The least that Gatehouse's two accounts on an Airflow need, the same on Airflow 2 and 3, each with what it is for.

Two accounts, because whoever may edit users could make themselves Admin: the one that gives roles runs nothing, and the
one that runs DAGs knows nothing of people.
"""

from __future__ import annotations

from collections.abc import Mapping

from airflow_bridge.types import Capabilities, Permission

GRANTER_ROLE, RUNNER_ROLE = "Gatehouse granter", "Gatehouse runner"

GRANTER: Mapping[Permission, str] = {
    ("can_read", "Users"): "find people and read back their roles",
    ("can_edit", "Users"): "give and take roles",
    ("can_read", "Roles"): "know which roles there are",
}
CREATING_USERS: Mapping[Permission, str] = {("can_create", "Users"): "create accounts for people who have none"}
DAG_ROLES: Mapping[Permission, str] = {
    ("can_create", "Roles"): "make the roles for access to single DAGs",
    ("can_edit", "Roles"): "complete such a role when its making was broken off",
}
RUNNER: Mapping[Permission, str] = {
    ("can_read", "DAGs"): "show DAGs",
    ("can_edit", "DAGs"): "run, pause and unpause them",
    ("can_read", "DAG Runs"): "follow runs",
    ("can_create", "DAG Runs"): "start runs",
    ("can_edit", "DAG Runs"): "cancel and retry runs",
    ("can_read", "Task Instances"): "show the tasks of a run",
    ("can_edit", "Task Instances"): "retry failed tasks on Airflow 2",
    ("can_read", "Task Logs"): "show their logs",
}
VARIABLES: Mapping[Permission, str] = {
    ("can_read", "Variables"): "read the variables that the catalogue names",
    ("can_edit", "Variables"): "change the variables that the catalogue names",
    ("can_create", "Variables"): "create those of them that are not there yet",
}
USED_FOR: Mapping[Permission, str] = {("can_edit", "Roles"): "role_edits"}
"""What an Airflow must be able to do for a permission to be of use there; see `airflow_bridge.capabilities.WHAT`."""


def of_use(permissions: Mapping[Permission, str], can: Capabilities) -> dict[Permission, str]:
    """Those that an account can use on an Airflow. FAB providers 3.0.3 to 3.1 refuse to change a role to everybody, so
    there nobody has to be given can_edit on Roles."""
    return {pair: why for pair, why in permissions.items() if pair not in USED_FOR or can.can(USED_FOR[pair])}
