"""Gatehouse's two accounts in Airflow: their names, roles and permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from airflow_bridge import Permission
from portal.airflow import needs

GRANTER, RUNNER = ACCOUNTS = ("granter", "runner")
ROLES: Mapping[str, str] = {GRANTER: needs.GRANTER_ROLE, RUNNER: needs.RUNNER_ROLE}
FIRST_NAME = "Gatehouse"
ONLY_AIRFLOW_3: Permission = ("can_read", "HITL Detail")
SIGNS_IN: Permission = ("can_read", "DAGs")
"""Airflow 2 refuses an account without permissions like one with a wrong password, so every account has this one."""
GIVEN_BY_AIRFLOW: Permission = ("can_read", "Website")
"""Airflow gives this permission to every custom role at each start, so it is not removed."""


@dataclass(frozen=True)
class Account:
    """One of the two accounts. part: "granter" or "runner"."""

    part: str
    username: str
    password: str = field(repr=False)
    permissions: Mapping[Permission, str]

    @property
    def role(self) -> str:
        return ROLES[self.part]

    @property
    def email(self) -> str:
        """Airflow requires an address for each user. Nobody reads mail to this one."""
        return self.username if "@" in self.username else f"{self.username}@gatehouse.invalid"

    @property
    def last_name(self) -> str:
        return self.part.capitalize()


def permissions(
    part: str, *, api: str, creates_users: bool, dag_roles: bool, runs: bool, variables: bool
) -> dict[Permission, str]:
    """The permissions that an account needs, and no others.

    api: "v1" (Airflow 2) or "v2". creates_users: Gatehouse creates accounts for people. dag_roles: the catalogue
    offers access to single DAGs. runs: it offers DAGs. variables: it offers variables.
    """
    if part == GRANTER:
        return {
            **needs.GRANTER,
            **(needs.CREATING_USERS if creates_users else {}),
            **(needs.DAG_ROLES if dag_roles else {}),
        }
    wanted = dict(needs.RUNNER) if runs else {SIGNS_IN: "be able to sign in"}
    if api == "v1":
        wanted.pop(ONLY_AIRFLOW_3, None)
    return {**wanted, **(needs.VARIABLES if variables else {})}


def listed(permissions: Iterable[Permission]) -> str:
    """For people: "can_edit on DAGs, can_read on DAGs"."""
    return ", ".join(f"{action} on {on}" for action, on in sorted(permissions, key=lambda pair: (pair[1], pair[0])))
