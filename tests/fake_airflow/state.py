"""What the fake Airflow knows: users, roles, DAGs, runs, and the tokens it gave out."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterable
from datetime import UTC, datetime

from airflow_bridge.types import Permission
from tests.fake_airflow.demo import demo_dags
from tests.fake_airflow.permissions import BUILT_IN, MISSING, RESOURCES, SIMPLE, of_dag
from tests.fake_airflow.releases import FakeRelease
from tests.fake_airflow.rows import (
    FakeBackfill,
    FakeDag,
    FakeQuestion,
    FakeRole,
    FakeRun,
    FakeUser,
    FakeVariable,
)
from tests.fake_airflow.tasks import TaskInstance, clear, stop, task_instances


class State:
    """Not thread-safe by itself: the server holds its lock around every use."""

    def __init__(self, release: FakeRelease, admin: tuple[str, str]) -> None:
        self.release = release
        self.users: dict[str, FakeUser] = {}
        self.resources = frozenset(RESOURCES) - MISSING[release.api]
        if not release.since(3, 1):
            self.resources -= {"HITL Detail"}
        built_in = SIMPLE if release.fab is None else BUILT_IN
        self.roles = {
            name: FakeRole(name, {pair for pair in pairs if pair[1] in self.resources})
            for name, pairs in built_in.items()
        }
        self.dags = {dag.dag_id: dag for dag in demo_dags()}
        self.runs: list[FakeRun] = []
        self.variables: dict[str, FakeVariable] = {}
        self.backfills: list[FakeBackfill] = []
        self.questions: list[FakeQuestion] = []
        self.log_page = 1_000
        """Lines of a task's log in one answer."""
        self.import_errors: dict[str, str] = {}
        """File -> what is wrong with it."""
        self.health: dict[str, str | None] = {
            "metadatabase": "healthy",
            "scheduler": "healthy",
            "triggerer": "healthy" if release.api == "v2" else None,
            "dag_processor": "healthy" if release.api == "v2" else None,
        }
        self.heartbeat = datetime.now(UTC)
        self.token_life = 86_400.0
        self.cli_token_life = 3_600.0
        self.log_ins = 0
        """Tokens given out, and requests that came with a right password."""
        self.public_role: str | None = "Public" if release.api == "v1" else None
        """The role of who comes without credentials, or with wrong ones, where passwords are sent with each request."""
        self.registration_role: str | None = "Public" if release.api == "v1" else None
        """The role of a user who is created without one; None: that fails."""
        self._tokens: dict[str, tuple[str, float]] = {}
        username, password = admin
        self.users[username] = self.new_user(username, password, ["Admin"])

    def new_user(self, username: str, password: str, roles: Iterable[str], email: str = "") -> FakeUser:
        """Roles by FAB's names; the simple auth manager writes the same ones small."""
        held = [name.lower() if self.release.fab is None else name for name in roles]
        return FakeUser(username, email or f"{username}@example.com", password, held)

    # who it is

    def sign_in(self, name: str, password: str) -> FakeUser | None:
        """By user name in any case, or by e-mail address. Counts."""
        user = self.user(name) or next((user for user in self.users.values() if user.email == name), None)
        if user is None:
            return None
        if not password or not user.active or user.password != password:
            user.failed_log_ins = (user.failed_log_ins or 0) + 1
            return None
        self.log_ins += 1
        user.log_ins = (user.log_ins or 0) + 1
        user.failed_log_ins = 0
        user.last_log_in = datetime.now(UTC)
        return user

    def make_token(self, user: FakeUser, life: float | None = None) -> str:
        life = self.token_life if life is None else life
        made = time.time()
        claims = {
            "sub": user.username if self.release.fab is None else self.number_of(user),
            "jti": secrets.token_hex(16),
            "iat": int(made),
            "nbf": int(made),
            "exp": int(made) + int(life),
            "aud": "apache-airflow",
        }
        parts = ({"alg": "HS512", "typ": "JWT"}, claims)
        encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        token = ".".join([*encoded, secrets.token_urlsafe(16)])
        self._tokens[token] = (user.username, made + life)
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
        return any((action, resource) in role.permissions for role in self._held(user))

    def _held(self, user: FakeUser) -> list[FakeRole]:
        """Of a simple auth manager's role, the spelling with a capital is as good."""
        names = user.roles if self.release.fab else [name.lower() for name in user.roles]
        return [self.roles[name] for name in names if name in self.roles]

    def may_on_dag(self, user: FakeUser, action: str, dag_id: str) -> bool:
        return self.may(user, action, "DAGs") or self.may(user, action, f"DAG:{dag_id}")

    def may_on_runs(self, user: FakeUser, action: str, dag_id: str) -> bool:
        return self.may(user, action, "DAG Runs") or self.may(user, action, f"DAG Run:{dag_id}")

    def reads_some_dag(self, user: FakeUser) -> bool:
        if self.may(user, "can_read", "DAGs"):
            return True
        pairs = (pair for role in self._held(user) for pair in role.permissions)
        return any(action == "can_read" and on.startswith("DAG:") for action, on in pairs)

    # look-ups

    def user(self, username: str) -> FakeUser | None:
        """By name, whatever its case."""
        if username in self.users:
            return self.users[username]
        wanted = username.casefold()
        return next((user for user in self.users.values() if user.username.casefold() == wanted), None)

    def number_of(self, user: FakeUser) -> str:
        """As in the database: there is no user's number in FAB's API, but tokens and answers have it."""
        return str(list(self.users).index(user.username) + 1)

    def run(self, dag_id: str, dag_run_id: str) -> FakeRun | None:
        return next((run for run in self.runs if (run.dag_id, run.dag_run_id) == (dag_id, dag_run_id)), None)

    def parsed_dag(self, dag_id: str) -> FakeDag | None:
        dag = self.dags.get(dag_id)
        return dag if dag and dag.parsed else None

    def parsed_dags(self) -> list[FakeDag]:
        return [dag for dag in self.dags.values() if dag.parsed]

    def task_instances(self, run: FakeRun) -> list[TaskInstance]:
        return task_instances(run, self.dags[run.dag_id])

    def resource_exists(self, name: str) -> bool:
        kind, _, dag_id = name.partition(":")
        if kind in ("DAG", "DAG Run") and dag_id:
            return (dag_id in self.dags and self.dags[dag_id].parsed) or self._granted_somewhere(name)
        return name in self.resources

    def _granted_somewhere(self, resource: str) -> bool:
        # of a DAG that is gone: its resources stay
        return any(on == resource for role in self.roles.values() for _, on in role.permissions)

    # changes that reach further than their row

    def rename_user(self, user: FakeUser, username: str) -> None:
        self.users = {username if row is user else name: row for name, row in self.users.items()}
        self._tokens = {
            token: (username if name == user.username else name, ends) for token, (name, ends) in self._tokens.items()
        }
        user.username = username

    def rename_role(self, role: FakeRole, name: str) -> None:
        self.roles = {name if row is role else known: row for known, row in self.roles.items()}
        for user in self.users.values():
            user.roles = [name if held == role.name else held for held in user.roles]
        role.name = name

    def delete_role(self, name: str) -> None:
        """Whoever has it loses it, without a word."""
        del self.roles[name]
        for user in self.users.values():
            user.roles = [held for held in user.roles if held != name]

    def set_state(self, run: FakeRun, state: str) -> None:
        now = datetime.now(UTC)
        if state == "failed" and not run.ended_at:
            stop(run, self.dags[run.dag_id])
        run.state = state
        if state == "queued":
            run.started_at = run.ended_at = None
        else:
            run.started_at, run.ended_at = run.started_at or now, now

    def to_clear(
        self, run: FakeRun, names: list[str] | None, only_failed: bool, *, downstream: bool = False
    ) -> list[TaskInstance]:
        """names: of tasks; None: all. downstream: what comes after them, too: each task depends on the one before."""
        tasks = self.dags[run.dag_id].tasks
        if names is not None and downstream:
            first = min((tasks.index(name) for name in names if name in tasks), default=len(tasks))
            names = [*names, *tasks[first:]]
        rows = [row for row in self.task_instances(run) if names is None or row.task_id in names]
        return [row for row in rows if not only_failed or row.state in ("failed", "upstream_failed")]

    def clear_tasks(self, rows: list[TaskInstance], *, reset_runs: bool) -> None:
        """Run these tasks once more."""
        for run in {id(row.run): row.run for row in rows}.values():
            clear(run, self.dags[run.dag_id], {row.task_id for row in rows if row.run is run})
            if reset_runs:
                run.queued_at = datetime.now(UTC)
                self.set_state(run, "queued")

    def pairs(self) -> list[Permission]:
        """Every pair of action and resource that exists."""
        given = {pair for role in self.roles.values() for pair in role.permissions}
        return sorted(given.union(*(of_dag(dag.dag_id) for dag in self.dags.values() if dag.parsed)))
