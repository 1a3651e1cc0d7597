"""What every client can do, whatever the Airflow behind it; `connect` makes the right one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Protocol

from airflow_bridge.auth import Credentials
from airflow_bridge.errors import Unsupported
from airflow_bridge.types import Dag, Permission, Role, Run, TaskInstance, User
from airflow_bridge.v2 import AirflowV2

BUDGET = 10.0


class Airflow(Protocol):
    """One deployment, one account. Thread-safe. Every call raises BridgeError's children and nothing else."""

    def version(self) -> str: ...
    def check(self) -> None:
        """Sign in and make one authenticated call; raises Unauthorised, Forbidden, Unreachable, TimedOut."""

    # people and roles
    def user(self, username: str) -> User | None: ...
    def users(self) -> Iterator[User]: ...
    def find_user(self, *, username: str, email: str) -> User | None:
        """By stored name first, then by e-mail (any case) through the whole list; never by a constructed name."""

    def create_user(
        self, *, username: str, email: str, first_name: str, last_name: str, password: str, roles: Iterable[str]
    ) -> User:
        """Raises Conflict where name or e-mail is taken, Rejected for an unknown role or no role at all."""

    def set_roles(self, username: str, roles: Iterable[str]) -> User:
        """Replace the role list and read back: what is returned is what Airflow says afterwards, not what was sent."""

    def role(self, name: str) -> Role | None: ...
    def roles(self) -> Iterator[Role]: ...
    def create_role(self, name: str, permissions: Iterable[Permission]) -> Role:
        """Raises Conflict where it exists, Rejected where a DAG was never parsed (unknown resource)."""

    # DAGs and runs
    def dags(self) -> Iterator[Dag]: ...
    def dag(self, dag_id: str) -> Dag | None: ...
    def set_paused(self, dag_id: str, paused: bool) -> Dag: ...
    def trigger(
        self, dag_id: str, *, dag_run_id: str, conf: Mapping[str, Any], logical_date: datetime, note: str = ""
    ) -> Run:
        """Start a run under an id of ours, or find the one already there (same id): one run, however often called."""

    def run(self, dag_id: str, dag_run_id: str) -> Run | None: ...
    def recent_runs(self, dag_id: str, limit: int = 20) -> list[Run]:
        """Newest first."""

    def task_instances(self, dag_id: str, dag_run_id: str) -> list[TaskInstance]: ...

    def close(self) -> None: ...


def connect(
    *, name: str, url: str, api: str, auth: Credentials, timeout: float = BUDGET, allow_plain_http: bool = False
) -> Airflow:
    """A client for one deployment and one account; asks nothing of it yet.

    name: how errors call the deployment. api: "v2" (Airflow 3). timeout: seconds that one call may take in all.
    allow_plain_http: accept http to another machine, where the network between is trusted.
    Raises Unsupported for an API this release does not speak, Rejected for an address that cannot be used.
    """
    if api != "v2":
        raise Unsupported(f"{name}: this release of Gatehouse speaks to Airflow 3 (api v2), not to api {api}.")
    return AirflowV2(name=name, url=url, auth=auth, budget=timeout, allow_plain_http=allow_plain_http)
