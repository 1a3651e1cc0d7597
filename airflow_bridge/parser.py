"""Airflow's JSON as the bridge's types. A wrong shape raises KeyError, TypeError or ValueError.

`Parser` reads Airflow 3; `airflow_bridge.v1` reads what Airflow 2 writes differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from airflow_bridge.types import (
    Backfill,
    Component,
    Dag,
    HumanTask,
    ImportError_,
    Param,
    Permission,
    Role,
    Run,
    TaskInstance,
    User,
    Variable,
    XCom,
)


class Parser:
    def user(self, body: Any) -> User:
        return User(
            username=body["username"],
            email=body["email"] or "",
            first_name=body["first_name"] or "",
            last_name=body["last_name"] or "",
            roles=frozenset(role["name"] for role in body["roles"]),
            active=body["active"] is True,
            last_login=moment(body["last_login"]),
            id=body.get("created_on") or "",
        )

    def role(self, body: Any) -> Role:
        return Role(name=body["name"], permissions=frozenset(self.permission(pair) for pair in body["actions"]))

    def permission(self, body: Any) -> Permission:
        return str(body["action"]["name"]), str(body["resource"]["name"])

    def dag(self, body: Any) -> Dag:
        """One of a list, or the details, which alone carry `params`."""
        allowed = body.get("allowed_run_types")
        return Dag(
            dag_id=body["dag_id"],
            description=body["description"] or "",
            paused=body["is_paused"],
            tags=tuple(sorted(tag["name"] for tag in body["tags"])),
            schedule=body["timetable_summary"] or "",
            stale=body["is_stale"],
            has_import_errors=body["has_import_errors"],
            manual_runs_allowed=allowed is None or "manual" in allowed,
            file=body.get("relative_fileloc") or "",
            owners=None if body.get("owners") is None else tuple(body["owners"]),
            next_run_at=moment(body.get("next_dagrun_run_after")),
            max_active_runs=body.get("max_active_runs"),
            catchup=body.get("catchup"),
            start_date=moment(body.get("start_date")),
            end_date=moment(body.get("end_date")),
            params=self.params(body),
        )

    def params(self, body: Any) -> Mapping[str, Param]:
        return {name: self.param(value) for name, value in (body.get("params") or {}).items()}

    def param(self, body: Any) -> Param:
        """Airflow keeps a parameter's description beside its schema; a form looks for it inside."""
        schema: Mapping[str, Any] = body["schema"]
        if body.get("description"):
            schema = {"description": body["description"], **schema}
        return Param(value=body["value"], schema=dict(schema))

    def import_error(self, body: Any) -> ImportError_:
        return ImportError_(file=body["filename"], message=body["stack_trace"], at=moment(body["timestamp"]))

    def run(self, body: Any) -> Run:
        return Run(
            dag_id=body["dag_id"],
            dag_run_id=body["dag_run_id"],
            state=body["state"],
            logical_date=moment(body["logical_date"]),
            # an old run may have a list there, which is nothing a run of ours has
            conf=dict(body["conf"]) if isinstance(body["conf"], Mapping) else {},
            note=body["note"] or "",
            queued_at=moment(body.get("queued_at")),  # Airflow 2 does not tell
            started_at=moment(body["start_date"]),
            ended_at=moment(body["end_date"]),
            kind=body["run_type"],
        )

    def task_instance(self, body: Any) -> TaskInstance:
        return TaskInstance(
            task_id=body["task_id"],
            state=body["state"],
            map_index=body["map_index"],
            label=str(body.get("rendered_map_index") or ""),
            try_number=body["try_number"],
            operator=body.get("operator") or "",
            started_at=moment(body["start_date"]),
            ended_at=moment(body["end_date"]),
            duration=body["duration"],
            max_tries=(body.get("max_tries") or 0) + 1,
        )

    def xcom(self, body: Any) -> XCom:
        return XCom(task_id=body["task_id"], key=body["key"], value=body["value"], map_index=body["map_index"])

    def variable(self, body: Any) -> Variable:
        return Variable(key=body["key"], value=body["value"] or "", description=body["description"] or "")

    def health(self, body: Any) -> Mapping[str, Component]:
        return {
            name: Component(
                status=part["status"] or "",
                heartbeat=next((moment(value) for key, value in part.items() if key.startswith("latest_")), None),
            )
            for name, part in body.items()
            if isinstance(part, dict)
        }

    def backfill(self, body: Any) -> Backfill:
        return Backfill(
            id=int(body["id"]),
            dag_id=body["dag_id"],
            from_date=_moment(body["from_date"]),
            to_date=_moment(body["to_date"]),
            paused=body["is_paused"],
            created_at=moment(body["created_at"]),
            completed_at=moment(body["completed_at"]),
        )

    def moments(self, body: Any) -> list[datetime]:
        """The logical dates that a backfill would run."""
        return [_moment(row["logical_date"]) for row in body["backfills"]]

    def human_task(self, body: Any) -> HumanTask:
        task = body.get("task_instance") or body
        return HumanTask(
            dag_id=task["dag_id"],
            dag_run_id=task["dag_run_id"],
            task_id=task["task_id"],
            map_index=task["map_index"],
            subject=body["subject"],
            body=body["body"] or "",
            options=tuple(body["options"]),
            multiple=bool(body["multiple"]),
            assigned=tuple(user["name"] for user in body.get("assigned_users") or ()),
            chosen=tuple(body["chosen_options"] or ()),
            answered_at=moment(body["responded_at"]),
        )


def moment(text: str | None) -> datetime | None:
    """Airflow's times are UTC, even where they do not say so."""
    return None if text is None else _moment(text)


def _moment(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
