"""What the bridge gives back: plain frozen values, the same for every Airflow version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Permission = tuple[str, str]
"""(action, resource), for example ("can_read", "DAG:sales_report")."""


@dataclass(frozen=True)
class User:
    """An Airflow user as Airflow spells it. `roles` are names; Airflow keeps them as a set."""

    username: str
    email: str
    first_name: str
    last_name: str
    roles: frozenset[str]
    active: bool = True


@dataclass(frozen=True)
class Role:
    name: str
    permissions: frozenset[Permission]


@dataclass(frozen=True)
class Param:
    """One parameter of a DAG: its default and its JSON Schema (Airflow's extra keys included)."""

    value: Any
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Dag:
    dag_id: str
    description: str = ""
    paused: bool = False
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    schedule: str = ""
    next_run: datetime | None = None
    stale: bool = False
    has_import_errors: bool = False
    manual_runs_allowed: bool = True
    params: Mapping[str, Param] = field(default_factory=dict)  # filled by `dag()`, empty in lists

    @property
    def problem(self) -> str:
        """Why it cannot be started, in words; empty when it can."""
        if self.stale:
            return "Airflow no longer finds this DAG in its files."
        if self.has_import_errors:
            return "The file of this DAG has import errors in Airflow."
        if not self.manual_runs_allowed:
            return "This DAG does not allow manual runs."
        return ""


@dataclass(frozen=True)
class Run:
    """A DAG run; `state` is queued, running, success or failed. Times are aware and UTC."""

    dag_id: str
    dag_run_id: str
    state: str
    logical_date: datetime | None = None
    conf: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class TaskInstance:
    task_id: str
    state: str | None
    map_index: int = -1
    try_number: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None  # seconds
