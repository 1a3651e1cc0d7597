"""Creates Gatehouse's two accounts on a deployment through Airflow's API, each with minimal permissions."""

from __future__ import annotations

from typing import Protocol

from portal.airflow.bridge import Airflow, PasswordAuth, Permission, connect
from portal.airflow.service_accounts import Account, permissions
from portal.demo.airflow.server import AirflowNotUp
from portal.setup.bootstrap import Report, ensure


def _may(part: str, api: str = "v2") -> dict[Permission, str]:
    """The permissions that the demo's offers need."""
    return permissions(part, api=api, creates_users=True, dag_roles=True, runs=True, variables=True)


GRANTER: tuple[Permission, ...] = tuple(_may("granter"))
RUNNER: tuple[Permission, ...] = tuple(_may("runner"))
RUNNER_OF_AIRFLOW_2: tuple[Permission, ...] = tuple(_may("runner", "v1"))


class Server(Protocol):
    """An Airflow with its administrator: an AirflowServer, or a fake in tests."""

    @property
    def url(self) -> str: ...
    @property
    def admin(self) -> tuple[str, str]: ...


def ensure_service_accounts(
    server: Server, *, granter: tuple[str, str], runner: tuple[str, str], api: str = "v2"
) -> None:
    """Create the missing accounts (user name, password) and roles; existing ones stay.

    Raises AirflowNotUp if an account exists with another password, BridgeError if Airflow refuses.
    """

    def sign_in(username: str, password: str) -> Airflow:
        auth = PasswordAuth(username, password)
        return connect(name=server.url, url=server.url, api=api, auth=auth, timeout=30)

    accounts = [Account(part, *who, _may(part, api)) for part, who in (("granter", granter), ("runner", runner))]
    admin, report = sign_in(*server.admin), Report()
    try:
        ensure(admin, accounts, sign_in=sign_in, report=report)
    finally:
        admin.close()
    if report.wrong:
        raise AirflowNotUp("\n".join(f"{server.url}: {line}." for line in report.wrong))
