"""Airflow 2's JSON for the rows of the fake. Flask sorts every name, so the order tells nothing."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.replies import moment_v1, moment_without_zone, seconds
from tests.fake_airflow.rows import FakeDag, FakeRole, FakeRun, FakeUser
from tests.fake_airflow.tasks import TaskInstance


def user(row: FakeUser) -> dict[str, Any]:
    return {
        "active": row.active,
        "changed_on": "2026-11-21T04:36:30.955792",  # no time zone, and it never moves
        "created_on": row.created_on,
        "email": row.email,
        "fail_login_count": row.failed_log_ins,
        "first_name": row.first_name,
        "last_login": moment_without_zone(row.last_log_in),
        "last_name": row.last_name,
        "login_count": row.log_ins,
        "roles": [{"name": name} for name in row.roles],
        "username": row.username,
    }


def role(row: FakeRole) -> dict[str, Any]:
    pairs = [{"action": {"name": action}, "resource": {"name": on}} for action, on in sorted(row.permissions)]
    return {"actions": pairs, "name": row.name}


def dag(row: FakeDag) -> dict[str, Any]:
    return {
        "dag_display_name": row.dag_id,
        "dag_id": row.dag_id,
        "default_view": "grid",
        "description": row.description or None,
        "file_token": f"token-of-{row.filename}",
        "fileloc": f"/dags/{row.filename}",
        "has_import_errors": row.import_errors,
        "has_task_concurrency_limits": False,
        "is_active": not row.stale,
        "is_paused": row.paused,
        "is_subdag": False,
        "last_expired": None,
        "last_parsed_time": moment_v1(row.last_parsed),
        "last_pickled": None,
        "max_active_runs": row.max_active_runs,
        "max_active_tasks": 16,
        "max_consecutive_failed_dag_runs": 0,
        "next_dagrun": moment_v1(row.next_run),
        "next_dagrun_create_after": moment_v1(row.next_run),
        "next_dagrun_data_interval_end": moment_v1(row.next_run),
        "next_dagrun_data_interval_start": moment_v1(row.next_run),
        "owners": row.owner.split(","),
        "pickle_id": None,
        "root_dag_id": None,
        "schedule_interval": {"__type": "CronExpression", "value": row.schedule} if row.schedule else None,
        "scheduler_lock": None,
        "tags": [{"name": name} for name in row.tags],
        "timetable_description": f"On {row.schedule}" if row.schedule else "Never, external triggers only",
    }


def dag_details(row: FakeDag) -> dict[str, Any]:
    """The parameters by name, whatever order the file has them in."""
    params = {
        name: {"__class": "airflow.models.param.Param", "description": None, **_sorted(row.params[name])}
        for name in sorted(row.params)
    }
    return {
        **dag(row),
        "catchup": row.catchup,
        "concurrency": 16,
        "dag_run_timeout": None,
        "dataset_expression": None,
        "doc_md": None,
        "end_date": moment_v1(row.end_date),
        "is_paused_upon_creation": False,
        "last_parsed": moment_v1(row.last_parsed),
        "orientation": "LR",
        "owners": [],  # whoever it belongs to: only the list tells
        "params": params,
        "render_template_as_native_obj": False,
        "start_date": "2026-01-01T00:00:00+00:00",
        "template_searchpath": None,
        "timezone": "Timezone('UTC')",
    }


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    return value


def run(row: FakeRun) -> dict[str, Any]:
    return {
        "conf": row.conf,
        "dag_id": row.dag_id,
        "dag_run_id": row.dag_run_id,
        "data_interval_end": moment_v1(row.logical_date),
        "data_interval_start": moment_v1(row.logical_date),
        "end_date": moment_v1(row.ended_at),
        "execution_date": moment_v1(row.logical_date),
        "external_trigger": True,
        "last_scheduling_decision": moment_v1(row.started_at),
        "logical_date": moment_v1(row.logical_date),
        "note": row.note,
        "run_type": row.run_type,
        "start_date": moment_v1(row.started_at),
        "state": row.state,
    }


def task_instance(row: TaskInstance) -> dict[str, Any]:
    run = row.run
    return {
        "dag_id": run.dag_id,
        "dag_run_id": run.dag_run_id,
        "duration": seconds(row.started_at, row.ended_at),
        "end_date": moment_v1(row.ended_at),
        "execution_date": moment_v1(run.logical_date),
        "executor": None,
        "executor_config": "{}",
        "hostname": "worker" if row.state else "",
        "map_index": row.map_index,
        "max_tries": 0,
        "note": None,
        "operator": "_PythonDecoratedOperator",
        "pid": None,
        "pool": "default_pool",
        "pool_slots": 1,
        "priority_weight": 1,
        "queue": "default",
        "queued_when": moment_v1(run.queued_at) if row.state else None,
        "rendered_fields": {},
        "rendered_map_index": row.label,
        "sla_miss": None,
        "start_date": moment_v1(row.started_at),
        "state": row.state,
        "task_display_name": row.task_id,
        "task_id": row.task_id,
        "trigger": None,
        "triggerer_job": None,
        "try_number": row.tries,
        "unixname": "airflow",
    }
