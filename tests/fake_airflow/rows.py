"""What a fake Airflow keeps, as rows. Tests may change them between requests."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_bridge.types import Permission

AND = "\n"
"""Between the values of a parameter that was given several times."""
NOT_JSON = object()
"""The body of a request that could not be read."""


def _now() -> datetime:
    return datetime.now(UTC)


_made = itertools.count()


def _made_on() -> str:
    """No two users are made at the same moment; no time zone, and it never moves."""
    moment = datetime(2026, 11, 21, 4, 36, 30, 955_786, UTC) + timedelta(microseconds=next(_made))
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds")


@dataclass
class FakeUser:
    username: str
    email: str
    password: str
    roles: list[str]
    first_name: str = "First"
    last_name: str = "Last"
    active: bool | None = True
    log_ins: int | None = None
    failed_log_ins: int | None = None
    last_log_in: datetime | None = None
    created_on: str = field(default_factory=_made_on)


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
    schedule: str | None = None
    """A cron expression."""
    next_run: datetime | None = None
    max_active_runs: int = 16
    catchup: bool = False
    access_control: dict[str, set[Permission]] | None = None
    """As in the DAG's file: role -> its permissions on this DAG, {("can_read", "DAGs"), ("can_create", "DAG Runs")}."""
    parsed: bool = True
    """False: the file is there, but nobody has looked at it; the DAG does not exist yet."""
    file: str = ""
    last_parsed: datetime = field(default_factory=_now)
    end_date: datetime | None = None
    mapped: dict[str, int] = field(default_factory=dict)
    """Of tasks that are mapped: how many instances each has."""

    @property
    def filename(self) -> str:
        return self.file or f"{self.dag_id}.py"


@dataclass
class FakeRun:
    dag_id: str
    dag_run_id: str
    logical_date: datetime | None
    conf: dict[str, Any]
    note: str | None
    state: str = "queued"
    queued_at: datetime = field(default_factory=_now)
    started_at: datetime | None = None
    ended_at: datetime | None = None
    by: str = ""
    """The user that started it."""
    noted_by: str = ""
    """The user that wrote its note last."""
    run_type: str = "manual"
    triggered_by: str = "rest_api"
    earlier_tries: dict[str, int] = field(default_factory=dict)
    """Of tasks that were cleared."""
    run_after: datetime | None = None
    task_states: dict[str, str] = field(default_factory=dict)
    """Of tasks that are in another state than the run's suggests; of a mapped one, "task[3]" is its fourth."""
    logs: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """(task, try) -> lines; there are some by default."""
    xcoms: dict[tuple[str, str], Any] = field(default_factory=dict)
    """(task, key) -> what the task handed on."""


@dataclass
class FakeVariable:
    key: str
    value: str
    description: str | None = None


@dataclass
class FakeBackfill:
    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    conf: dict[str, Any] | None
    reprocess_behavior: str = "none"
    max_active_runs: int = 10
    paused: bool = False
    created_at: datetime = field(default_factory=_now)
    completed_at: datetime | None = None
    runs: list[FakeRun] = field(default_factory=list)


@dataclass
class FakeQuestion:
    """A task that waits for a person."""

    dag_id: str
    dag_run_id: str
    task_id: str
    subject: str
    options: list[str]
    body: str | None = None
    defaults: list[str] | None = None
    multiple: bool = False
    params: dict[str, Any] = field(default_factory=dict)
    assigned_users: list[dict[str, str]] = field(default_factory=list)
    """{"id": ..., "name": ...} of those who may answer; empty: everybody who may edit."""
    created_at: datetime = field(default_factory=_now)
    answered_by: dict[str, str] | None = None
    answered_at: datetime | None = None
    chosen: list[str] | None = None
    given: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """One request as it came in. `account` is the user name behind its credentials, empty where there was none."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    account: str
    accept: str = ""
    authorization: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"
