"""What Gatehouse's two accounts on an Airflow should be: names, roles and permissions, each with what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_bridge import Permission
from portal.airflow import needs

GRANTER, RUNNER = ACCOUNTS = ("granter", "runner")
ROLES: Mapping[str, str] = {GRANTER: needs.GRANTER_ROLE, RUNNER: needs.RUNNER_ROLE}
FIRST_NAME = "Gatehouse"
ONLY_AIRFLOW_2: Permission = ("can_edit", "Task Instances")
SIGNS_IN: Permission = ("can_read", "DAGs")
"""Without any permission, an account is to Airflow 2 as somebody with a wrong password."""
GIVEN_BY_AIRFLOW: Permission = ("can_read", "Website")
"""Airflow gives it to every role that is not its own, anew at each start: nothing to take away."""


@dataclass(frozen=True)
class Account:
    """One of the two. part: "granter" or "runner"."""

    part: str
    username: str
    password: str = field(repr=False)
    permissions: Mapping[Permission, str]

    @property
    def role(self) -> str:
        return ROLES[self.part]

    @property
    def email(self) -> str:
        """Airflow wants one of each user; nobody reads what is sent there."""
        return self.username if "@" in self.username else f"{self.username}@gatehouse.invalid"

    @property
    def last_name(self) -> str:
        return self.part.capitalize()


def permissions(
    part: str, *, api: str, creates_users: bool, dag_roles: bool, runs: bool, variables: bool
) -> dict[Permission, str]:
    """The least that it needs.

    api: "v1" (Airflow 2) or "v2". creates_users: accounts are made for people who have none. dag_roles: access to
    single DAGs is offered. runs: DAGs are. variables: some may be read and changed.
    """
    if part == GRANTER:
        return {
            **needs.GRANTER,
            **(needs.CREATING_USERS if creates_users else {}),
            **(needs.DAG_ROLES if dag_roles else {}),
        }
    wanted = dict(needs.RUNNER) if runs else {SIGNS_IN: "be told from an account that is not there"}
    if api == "v2":
        wanted.pop(ONLY_AIRFLOW_2, None)
    return {**wanted, **(needs.VARIABLES if variables else {})}


def listed(permissions: Iterable[Permission]) -> str:
    """For people: "can_edit on DAGs, can_read on DAGs"."""
    return ", ".join(f"{action} on {on}" for action, on in sorted(permissions, key=lambda pair: (pair[1], pair[0])))
