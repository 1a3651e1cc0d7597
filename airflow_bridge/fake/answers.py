"""How the fake puts its answers: Airflow 3.3.2's shapes, word for word where the bridge or a person reads them."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from airflow_bridge.fake.state import FakeDag, FakeRole, FakeRun, FakeUser

PAGE_NOT_FOUND = "<!DOCTYPE html>\n<html><head><title>Airflow 404</title></head><body>Airflow 404</body></html>"


class Refusal(Exception):
    """Ends a request with this answer. A text body is sent as HTML, anything else as JSON."""

    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body


def detail(status: int, words: Any) -> Refusal:
    return Refusal(status, {"detail": words})


def faulty(kind: str, field: str, words: str, given: Any) -> Refusal:
    """A 422: it repeats what was given, passwords included."""
    return detail(422, [{"type": kind, "loc": ["body", field], "msg": words, "input": given}])


def taken(reference: str) -> Refusal:
    """The same for a run id and for a logical date that is taken."""
    words = f"Serious error when handling your request. Check logs for more details - ... ID {reference}"
    hidden = {"statement": "hidden", "orig_error": "hidden"}
    return detail(409, {"reason": "Unique constraint violation", **hidden, "message": words})


def user(row: FakeUser) -> dict[str, Any]:
    return {
        "username": row.username,
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "roles": [{"name": name} for name in row.roles],
        "active": row.active,
        "last_login": None,
        "login_count": None,
        "fail_login_count": None,
        "created_on": "2026-11-21T04:36:30.955786",  # no time zone, and it never moves
        "changed_on": "2026-11-21T04:36:30.955792",
    }


def role(row: FakeRole) -> dict[str, Any]:
    pairs = [{"action": {"name": action}, "resource": {"name": on}} for action, on in sorted(row.permissions)]
    return {"name": row.name, "actions": pairs}


def dag(row: FakeDag) -> dict[str, Any]:
    return {
        "dag_id": row.dag_id,
        "dag_display_name": row.dag_id,
        "description": row.description or None,
        "is_paused": row.paused,
        "is_stale": row.stale,
        "has_import_errors": row.import_errors,
        "tags": [{"name": name, "dag_id": row.dag_id, "dag_display_name": row.dag_id} for name in row.tags],
        "owners": [row.owner],
        "timetable_summary": None,
        "timetable_description": "Never, external triggers only",
        "next_dagrun_run_after": None,
        "allowed_run_types": row.allowed_run_types,
    }


def dag_details(row: FakeDag) -> dict[str, Any]:
    params = {name: {"description": None, "source": None, **param} for name, param in row.params.items()}
    return {**dag(row), "params": params, "doc_md": None, "timezone": "UTC"}


def run(row: FakeRun, *, by: str) -> dict[str, Any]:
    return {
        "dag_run_id": row.dag_run_id,
        "dag_id": row.dag_id,
        "logical_date": _time(row.logical_date),
        "queued_at": _time(row.queued_at),
        "start_date": _time(row.started_at),
        "end_date": _time(row.ended_at),
        "run_after": _time(row.queued_at),
        "run_type": "manual",
        "state": row.state,
        "triggered_by": "rest_api",
        "triggering_user_name": by,
        "conf": row.conf,
        "note": row.note,
    }


def task_instances(row: FakeRun, tasks: tuple[str, ...]) -> list[dict[str, Any]]:
    """Of a run that goes on, the first task runs; of one that failed, the last one has."""
    states: list[str | None] = [row.state if row.ended_at else None] * len(tasks)
    if row.state == "failed":
        states[:-1] = ["success"] * (len(tasks) - 1)
    elif row.state == "running":
        states[0] = "running"
    return [
        {
            "task_id": task_id,
            "dag_id": row.dag_id,
            "dag_run_id": row.dag_run_id,
            "map_index": -1,
            "state": state,
            "try_number": 1 if state else 0,
            "start_date": _time(row.started_at) if state else None,
            "end_date": _time(row.ended_at) if state else None,
            "duration": 1.0 if state and row.ended_at else None,
        }
        for task_id, state in zip(tasks, states, strict=True)
    ]


def as_bytes(body: Any) -> tuple[str, bytes]:
    """(content type, content)."""
    if isinstance(body, str):
        return "text/html; charset=utf-8", body.encode()
    return "application/json", b"" if body is None else json.dumps(body).encode()


def _time(value: datetime | None) -> str | None:
    return value.isoformat().replace("+00:00", "Z") if value else None
