"""What the bridge gives back: plain frozen values, the same for every Airflow version. Times are aware and UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Permission = tuple[str, str]
"""(action, resource), for example ("can_read", "DAG:sales_report")."""

FINAL = frozenset({"success", "failed"})
"""The states in which a run has ended."""


# --- people ----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class User:
    """An Airflow user as Airflow spells it. `roles` are names; Airflow keeps them as a set."""

    username: str
    email: str
    first_name: str
    last_name: str
    roles: frozenset[str]
    active: bool = True
    """Whether the account can be used. Airflow lets nobody in whose account is deactivated, or null in this."""
    last_login: datetime | None = field(default=None, compare=False)
    id: str = field(default="", compare=False)
    """What stays the same when the user gets another name or e-mail address; empty where Airflow does not tell.

    Airflow's API tells no number of a user. It is the moment at which the user was made, to the microsecond on SQLite
    and PostgreSQL; on MySQL to the second, so that several may share one.
    """


@dataclass(frozen=True)
class Role:
    name: str
    permissions: frozenset[Permission]


# --- DAGs and runs ---------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Param:
    """One parameter of a DAG: its default and its JSON Schema (Airflow's extra keys included)."""

    value: Any
    schema: Mapping[str, Any]

    @property
    def required(self) -> bool:
        """Whether a run must give it: it has no default, and null is none that its schema is for.

        Airflow writes "no default" and a default of null alike. A schema without a type takes null only where its
        enum or const has it; one that has other rules for the value (bounds, a pattern) is written for a value.
        """
        return self.value is None and not _is_for_null(self.schema)


DESCRIBES = {"title", "description", "description_md", "section", "examples", "values_display", "$comment", "default"}
"""Keys of a parameter's schema that are no rules for its value."""


def _is_for_null(schema: Mapping[str, Any]) -> bool:
    if "const" in schema:
        return schema["const"] is None
    if isinstance(schema.get("enum"), list | tuple):
        return None in schema["enum"]
    if kinds := schema.get("type"):
        return "null" in ([kinds] if isinstance(kinds, str) else kinds)
    for name in ("anyOf", "oneOf"):
        if isinstance(schema.get(name), list | tuple):
            return any(isinstance(one, Mapping) and _is_for_null(one) for one in schema[name])
    return not schema.keys() - DESCRIBES


@dataclass(frozen=True)
class Dag:
    dag_id: str
    description: str = ""
    paused: bool = False
    tags: tuple[str, ...] = ()
    schedule: str = ""
    """As a person reads it ("0 5 * * *", "@daily"); empty where only people and other DAGs start it."""
    stale: bool = False
    has_import_errors: bool = False
    manual_runs_allowed: bool = True
    file: str = ""
    """As `ImportError_.file` spells it."""
    owners: tuple[str, ...] | None = None
    """None in `dag()` on Airflow 2, which tells the owners in lists only."""
    next_run_at: datetime | None = None
    """When the scheduler creates the next run; None without a schedule."""
    max_active_runs: int | None = None
    catchup: bool | None = None
    """Whether the scheduler creates the runs that were missed. None in lists."""
    start_date: datetime | None = None  # this and what follows is filled by `dag()`, empty in lists
    end_date: datetime | None = None
    params: Mapping[str, Param] = field(default_factory=dict)

    @property
    def problem(self) -> str:
        """Why it cannot be started, in words; empty when it can."""
        if self.has_import_errors:  # said first: Airflow takes such a DAG out of service, and calls it stale too
            return "The file of this DAG has import errors in Airflow."
        if self.stale:
            return "Airflow no longer finds this DAG in its files."
        if not self.manual_runs_allowed:
            return "This DAG does not allow manual runs."
        return ""


@dataclass(frozen=True)
class ImportError_:
    """A DAG file that Airflow could not read: where it stands, and the end of what Python said."""

    file: str
    message: str
    at: datetime | None = None


@dataclass(frozen=True)
class Run:
    """A DAG run; `state` is queued, running, success or failed."""

    dag_id: str
    dag_run_id: str
    state: str
    logical_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    kind: str = "manual"
    """manual, scheduled, backfill, asset_triggered, ... as Airflow names it."""

    @property
    def is_final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True)
class TaskInstance:
    """One task of a run. `state` is Airflow's word, None before it is scheduled; an unknown word means "on its way".

    label: of one of a mapped task, what the DAG calls it instead of its number; empty where it does not.
    """

    task_id: str
    state: str | None
    map_index: int = -1
    label: str = ""
    try_number: int = 0
    operator: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None  # seconds
    max_tries: int = 0
    """Tries that Airflow makes by itself; clearing a task raises it."""


@dataclass(frozen=True)
class LogLine:
    """One line of a task's log. It can hold anything, secrets too: show it as text, to those who may see it."""

    text: str
    at: datetime | None = None
    level: str = ""
    """In lower case, as Airflow names it: "info", "error"; empty where it does not say."""
    is_error: bool = False
    """Whether this line says why the task failed: the exception with its message."""


@dataclass(frozen=True)
class LogPart:
    """Lines of one attempt's log. `next` continues it (give it back as `after`); None where the log has ended."""

    lines: tuple[LogLine, ...]
    next: str | None = None


@dataclass(frozen=True)
class XCom:
    """What a task handed on under a key, as JSON has it."""

    task_id: str
    key: str
    value: Any = field(repr=False)
    map_index: int = -1


@dataclass(frozen=True)
class Backfill:
    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    paused: bool
    created_at: datetime | None
    completed_at: datetime | None


@dataclass(frozen=True)
class HumanTask:
    """A task that waits for a person's answer (Airflow 3.1 or newer)."""

    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    subject: str
    body: str
    options: tuple[str, ...]
    multiple: bool
    """Whether more than one option may be chosen."""
    assigned: tuple[str, ...]
    """Those who alone may answer; empty where everybody may. Airflow refuses all others, Admins too."""
    chosen: tuple[str, ...] = ()
    answered_at: datetime | None = None


# --- what there is besides -------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class Variable:
    key: str
    value: str = field(repr=False)  # may be a secret
    description: str = ""


@dataclass(frozen=True)
class Component:
    """A part of Airflow: "healthy", "unhealthy", or "" where it does not run or does not say."""

    status: str
    heartbeat: datetime | None = None


@dataclass(frozen=True)
class RateLimit:
    """What the last answer's RateLimit headers said; None where it did not say.

    limit: calls in a window. remaining: of those left. reset: seconds from then until there are more.
    """

    limit: int | None
    remaining: int | None
    reset: float | None


@dataclass(frozen=True)
class Capabilities:
    """What one Airflow can do through its API, as it was found."""

    version: str
    api: str
    """"v1" (Airflow 2) or "v2" (Airflow 3)."""
    auth_manager: str
    """"FAB", "simple", or the title it gives itself."""
    missing: Mapping[str, str]
    """What it cannot do, with the reason in words: keys are those of `airflow_bridge.capabilities.WHAT`."""
    credentials: Mapping[str, Literal["token", "password"]]
    """Which group of calls ("users", "roles", "permissions") takes which credentials."""

    def can(self, what: str) -> bool:
        return what not in self.missing

    def can_use(self, permission: Permission) -> bool:
        """Whether a permission exists and has an effect. FAB providers 3.0.3 to 3.1 refuse role changes even with
        can_edit."""
        if permission[1] == "HITL Detail":
            return self.can("human_tasks")
        return permission != ("can_edit", "Roles") or self.can("role_edits")
