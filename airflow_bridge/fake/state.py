"""What the fake Airflow knows: users, roles, DAGs, runs, and the tokens it gave out."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_bridge.types import Permission

RESOURCES = (
    "DAGs",
    "DAG Runs",
    "Task Instances",
    "Task Logs",
    "Users",
    "Roles",
    "Website",
    "ImportError",
    "Audit Logs",
)
ACTIONS = ("can_read", "can_edit", "can_create", "can_delete", "menu_access")
_WEBSITE: frozenset[Permission] = frozenset({("can_read", "Website")})
_VIEW: frozenset[Permission] = _WEBSITE | {
    ("can_read", on) for on in ("DAGs", "DAG Runs", "Task Instances", "Task Logs", "ImportError")
}
_USE: frozenset[Permission] = _VIEW | {
    ("can_edit", "DAGs"),
    ("can_create", "DAG Runs"),
    ("can_edit", "DAG Runs"),
    ("can_edit", "Task Instances"),
}
BUILT_IN: Mapping[str, frozenset[Permission]] = {
    "Admin": frozenset((action, on) for action in ACTIONS for on in RESOURCES),
    "Op": _USE | {("can_read", "Audit Logs")},
    "Public": frozenset(),
    "User": _USE,
    "Viewer": _VIEW,
}


@dataclass
class FakeUser:
    username: str
    email: str
    password: str
    roles: list[str]
    first_name: str = "First"
    last_name: str = "Last"
    active: bool = True


@dataclass
class FakeRole:
    name: str
    permissions: set[Permission]


@dataclass
class FakeDag:
    dag_id: str
    params: dict[str, dict[str, Any]] = field(default_factory=dict)
    """As in the details: {"region": {"value": "KR", "schema": {...}}}."""
    description: str = ""
    tasks: tuple[str, ...] = ("work",)
    tags: tuple[str, ...] = ()
    owner: str = "airflow"
    paused: bool = False
    stale: bool = False
    import_errors: bool = False
    allowed_run_types: list[str] | None = None


@dataclass
class FakeRun:
    dag_id: str
    dag_run_id: str
    logical_date: datetime | None
    conf: dict[str, Any]
    note: str | None
    state: str = "queued"
    queued_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class Request:
    """One request as it came in. `account` is the user name behind its token, empty where there was none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    account: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def demo_dags() -> list[FakeDag]:
    """Like those in demo/dags, as far as the portal sees them."""
    region = {"type": "string", "enum": ["KR", "APAC", "EU"], "title": "Region"}
    return [
        FakeDag(
            "sales_report",
            params={
                "region": {"value": "KR", "schema": region},
                "dry_run": {"value": True, "schema": {"type": "boolean"}, "description": "Do everything but publish."},
                "date": {"value": "2026-11-21", "schema": {"type": "string", "format": "date"}},
            },
            description="Sales figures of one region, collected, checked and published.",
            tasks=("collect", "publish"),
            tags=("report", "sales"),
            owner="sales",
        ),
        FakeDag("payroll_close", tasks=("check_totals", "close_books"), tags=("critical", "finance"), owner="finance"),
        FakeDag("warehouse_backup", tasks=("prepare", "export_orders", "verify"), tags=("warehouse",), owner="data"),
        FakeDag("flaky_import", tasks=("fetch", "load"), tags=("import",), owner="data"),
        FakeDag(
            "every_param",
            params={
                "plain": {"value": "a value without a schema", "schema": {}},
                "text": {"value": "hello", "schema": {"type": "string"}, "description": "One line."},
                "optional_text": {"value": None, "schema": {"type": ["null", "string"]}},
                "choice": {"value": "blue", "schema": {"type": "string", "enum": ["red", "green", "blue"]}},
                "whole_number": {"value": 3, "schema": {"type": "integer", "minimum": 1, "maximum": 10}},
                "lines": {"value": ["one", "two"], "schema": {"type": "array"}},
            },
            tasks=("show",),
            tags=("example",),
            owner="data",
        ),
    ]


class State:
    """Not thread-safe by itself: the server holds its lock around every use."""

    def __init__(self, admin: tuple[str, str]) -> None:
        self.users: dict[str, FakeUser] = {}
        self.roles = {name: FakeRole(name, set(pairs)) for name, pairs in BUILT_IN.items()}
        self.dags = {dag.dag_id: dag for dag in demo_dags()}
        self.runs: list[FakeRun] = []
        self.token_life = 86_400.0
        self.log_ins = 0
        self._tokens: dict[str, tuple[str, float]] = {}
        username, password = admin
        self.users[username] = FakeUser(username, f"{username}@example.com", password, ["Admin"], "Airflow", "Admin")

    # tokens

    def make_token(self, user: FakeUser) -> str:
        self.log_ins += 1
        made = time.time()
        claims = {
            "sub": user.username,
            "iat": int(made),
            "exp": int(made) + int(self.token_life),
            "aud": "apache-airflow",
        }
        parts = ({"alg": "HS512", "typ": "JWT"}, claims)
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        token = ".".join([*encoded, secrets.token_urlsafe(16)])
        self._tokens[token] = (user.username, made + self.token_life)
        return token

    def holder(self, token: str) -> tuple[FakeUser | None, bool]:
        """(user, expired) of a token: no user for one that was never given out, or whose user is gone."""
        username, ends = self._tokens.get(token, ("", 0.0))
        user = self.users.get(username)
        if user is None or not user.active:
            return None, False
        return user, time.time() >= ends

    def invalidate_tokens(self) -> None:
        """As when the api-server is restarted with another key: 403, "Invalid JWT token"."""
        self._tokens.clear()

    def expire_tokens(self) -> None:
        """As when their time is over: 401, "Token Expired"."""
        self._tokens = {token: (username, 0.0) for token, (username, _) in self._tokens.items()}

    # who may

    def may(self, user: FakeUser, action: str, resource: str) -> bool:
        return any((action, resource) in self.roles[name].permissions for name in user.roles if name in self.roles)

    def may_on_dag(self, user: FakeUser, action: str, dag_id: str) -> bool:
        return self.may(user, action, "DAGs") or self.may(user, action, f"DAG:{dag_id}")

    def may_on_runs(self, user: FakeUser, action: str, dag_id: str) -> bool:
        return self.may(user, action, "DAG Runs") or self.may(user, action, f"DAG Run:{dag_id}")

    # look-ups

    def user(self, username: str) -> FakeUser | None:
        """By name, whatever its case."""
        wanted = username.casefold()
        return next((user for user in self.users.values() if user.username.casefold() == wanted), None)

    def run(self, dag_id: str, dag_run_id: str) -> FakeRun | None:
        return next((run for run in self.runs if (run.dag_id, run.dag_run_id) == (dag_id, dag_run_id)), None)

    def resource_exists(self, name: str) -> bool:
        kind, _, dag_id = name.partition(":")
        return name in RESOURCES or (kind in ("DAG", "DAG Run") and dag_id in self.dags)
