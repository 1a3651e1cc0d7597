"""Airflow 3's JSON as the bridge's types. A wrong shape raises KeyError, TypeError or ValueError."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_bridge.types import Dag, Param, Role, Run, TaskInstance, User


def user(body: Any) -> User:
    return User(
        username=body["username"],
        email=body["email"] or "",
        first_name=body["first_name"] or "",
        last_name=body["last_name"] or "",
        roles=frozenset(role["name"] for role in body["roles"]),
        active=body["active"] is not False,
    )


def role(body: Any) -> Role:
    pairs = ((pair["action"]["name"], pair["resource"]["name"]) for pair in body["actions"])
    return Role(name=body["name"], permissions=frozenset(pairs))


def dag(body: Any) -> Dag:
    """One of a list, or the details, which alone carry `params`."""
    allowed = body.get("allowed_run_types")
    return Dag(
        dag_id=body["dag_id"],
        description=body["description"] or "",
        paused=body["is_paused"],
        tags=tuple(tag["name"] for tag in body["tags"]),
        owners=tuple(body["owners"]),
        schedule=body["timetable_summary"] or "",
        next_run=moment(body["next_dagrun_run_after"]),
        stale=body["is_stale"],
        has_import_errors=body["has_import_errors"],
        manual_runs_allowed=allowed is None or "manual" in allowed,
        params={name: param(value) for name, value in (body.get("params") or {}).items()},
    )


def param(body: Any) -> Param:
    """Airflow keeps a parameter's description beside its schema; a form looks for it inside."""
    schema: Mapping[str, Any] = body["schema"]
    if body.get("description"):
        schema = {"description": body["description"], **schema}
    return Param(value=body["value"], schema=dict(schema))


def run(body: Any) -> Run:
    return Run(
        dag_id=body["dag_id"],
        dag_run_id=body["dag_run_id"],
        state=body["state"],
        logical_date=moment(body["logical_date"]),
        conf=dict(body["conf"] or {}),
        note=body["note"] or "",
        queued_at=moment(body["queued_at"]),
        started_at=moment(body["start_date"]),
        ended_at=moment(body["end_date"]),
    )


def task_instance(body: Any) -> TaskInstance:
    return TaskInstance(
        task_id=body["task_id"],
        state=body["state"],
        map_index=body["map_index"],
        try_number=body["try_number"],
        started_at=moment(body["start_date"]),
        ended_at=moment(body["end_date"]),
        duration=body["duration"],
    )


def moment(text: str | None) -> datetime | None:
    """Airflow's times are UTC, even where they do not say so."""
    if text is None:
        return None
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
