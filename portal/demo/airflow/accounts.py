"""The two service accounts of a deployment, each with no more than it needs, made through Airflow's own API."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from airflow_bridge import Airflow, PasswordAuth, Permission, Unauthorised, connect
from portal.demo.airflow.server import AirflowNotUp

GRANTER: tuple[Permission, ...] = (
    ("can_read", "Users"),
    ("can_edit", "Users"),
    ("can_create", "Users"),
    ("can_read", "Roles"),
    ("can_create", "Roles"),
)
RUNNER: tuple[Permission, ...] = (
    ("can_read", "DAGs"),
    ("can_edit", "DAGs"),
    ("can_read", "DAG Runs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_read", "Task Instances"),
    ("can_read", "Task Logs"),
)
# Airflow 2 clears the failed tasks of a run one by one
RUNNER_OF_AIRFLOW_2: tuple[Permission, ...] = (*RUNNER, ("can_edit", "Task Instances"))


class Server(Protocol):
    """An Airflow with its administrator: an AirflowServer, or what stands in for one in tests."""

    @property
    def url(self) -> str: ...
    @property
    def admin(self) -> tuple[str, str]: ...


def ensure_service_accounts(
    server: Server, *, granter: tuple[str, str], runner: tuple[str, str], api: str = "v2"
) -> None:
    """Make the accounts (user name, password) and their roles where they are missing; what is there stays.

    Raises AirflowNotUp where an account is there with another password, BridgeError where Airflow refuses.
    """
    admin = connect(name="Airflow", url=server.url, api=api, auth=PasswordAuth(*server.admin))
    try:
        _ensure(admin, "Gatehouse granter", GRANTER, granter)
        _ensure(admin, "Gatehouse runner", RUNNER_OF_AIRFLOW_2 if api == "v1" else RUNNER, runner)
    finally:
        admin.close()
    for username, password in (granter, runner):
        account = connect(name="Airflow", url=server.url, api=api, auth=PasswordAuth(username, password))
        try:
            account.check()
        except Unauthorised as error:
            raise AirflowNotUp(f"{server.url} knows the account {username} with another password.") from error
        finally:
            account.close()


def _ensure(admin: Airflow, role: str, permissions: Iterable[Permission], account: tuple[str, str]) -> None:
    username, password = account
    if admin.role(role) is None:
        admin.create_role(role, permissions)
    user = admin.user(username)
    if user is None:
        admin.create_user(
            username=username,
            email=f"{username}@gatehouse.example.com",
            first_name="Gatehouse",
            last_name=role.split()[-1].capitalize(),
            password=password,
            roles=[role],
        )
    elif user.roles != {role}:
        admin.set_roles(username, [role])
