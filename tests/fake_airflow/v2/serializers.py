"""Airflow 3's JSON for the rows of the fake."""

from __future__ import annotations

from typing import Any

from airflow_bridge.types import Permission
from tests.fake_airflow.releases import FakeRelease
from tests.fake_airflow.replies import moment, moment_without_zone, seconds
from tests.fake_airflow.rows import FakeDag, FakeRole, FakeRun, FakeUser
from tests.fake_airflow.tasks import TaskInstance


def user(row: FakeUser) -> dict[str, Any]:
    return {
        "username": row.username,
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "roles": [{"name": name} for name in row.roles],
        "active": row.active,
        "last_login": moment_without_zone(row.last_log_in),
        "login_count": row.log_ins,
        "fail_login_count": row.failed_log_ins,
        "created_on": row.created_on,
        "changed_on": "2026-11-21T04:36:30.955792",
    }


def pair(permission: Permission) -> dict[str, Any]:
    action, resource = permission
    return {"action": {"name": action}, "resource": {"name": resource}}


def role(row: FakeRole) -> dict[str, Any]:
    return {"name": row.name, "actions": [pair(permission) for permission in sorted(row.permissions)]}


def dag(row: FakeDag, release: FakeRelease) -> dict[str, Any]:
    next_run = moment(row.next_run)
    return {
        "dag_id": row.dag_id,
        "dag_display_name": row.dag_id,
        "is_paused": row.paused,
        "is_stale": row.stale,
        "last_parsed_time": moment(row.last_parsed),
        "last_expired": None,
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "relative_fileloc": row.filename,
        "fileloc": f"/dags/{row.filename}",
        "description": row.description or None,
        "timetable_summary": row.schedule,
        "timetable_description": f"On {row.schedule}" if row.schedule else "Never, external triggers only",
        "tags": [{"name": name, **_named(row.dag_id, release)} for name in sorted(row.tags)],
        "max_active_tasks": 16,
        "max_active_runs": row.max_active_runs,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
        "has_import_errors": row.import_errors,
        "next_dagrun_logical_date": next_run,
        "next_dagrun_data_interval_start": next_run,
        "next_dagrun_data_interval_end": next_run,
        "next_dagrun_run_after": next_run,
        "owners": [owner.strip() for owner in row.owner.split(",")],
        "file_token": f"token-of-{row.filename}",
        **({"last_parse_duration": 0.01} if release.since(3, 1) else {}),
        **(_newest(row) if release.since(3, 3) else {}),
    }


def _named(dag_id: str, release: FakeRelease) -> dict[str, str]:
    return {"dag_id": dag_id, **({"dag_display_name": dag_id} if release.since(3, 1) else {})}


def _newest(row: FakeDag) -> dict[str, Any]:
    backfillable = bool(row.schedule) and (row.allowed_run_types is None or "backfill" in row.allowed_run_types)
    return {
        "timetable_partitioned": False,
        "timetable_periodic": bool(row.schedule),
        "allowed_run_types": row.allowed_run_types,
        "is_backfillable": backfillable,
    }


def dag_details(row: FakeDag, release: FakeRelease) -> dict[str, Any]:
    """The parameters in the order of the file."""
    params = {name: {"description": None, "source": None, **param} for name, param in row.params.items()}
    return {
        **dag(row, release),
        "catchup": row.catchup,
        "dag_run_timeout": None,
        "asset_expression": None,
        "doc_md": None,
        "start_date": "2026-01-01T00:00:00Z",
        "end_date": moment(row.end_date),
        "is_paused_upon_creation": None,
        "params": params,
        "render_template_as_native_obj": False,
        "template_search_path": None,
        "timezone": "UTC",
        "last_parsed": moment(row.last_parsed),
        **({"default_args": {"owner": row.owner}, "is_favorite": False} if release.since(3, 1) else {}),
        "owner_links": {},
        "concurrency": 16,
        "latest_dag_version": dag_version(row.dag_id, release),
        **(_newest_details() if release.since(3, 3) else {}),
    }


def _newest_details() -> dict[str, Any]:
    return {"active_runs_count": 0, "rerun_with_latest_version": None}


def dag_version(dag_id: str, release: FakeRelease) -> dict[str, Any]:
    return {
        "id": "01a1fe03-4f46-7e16-8578-6675c065aa5d",
        "version_number": 1,
        **_named(dag_id, release),
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "created_at": "2026-11-21T04:36:30.955786Z",
        "bundle_url": None,
    }


def run(row: FakeRun, release: FakeRelease) -> dict[str, Any]:
    return {
        "dag_run_id": row.dag_run_id,
        **_named(row.dag_id, release),
        "logical_date": moment(row.logical_date),
        "queued_at": moment(row.queued_at),
        "start_date": moment(row.started_at),
        "end_date": moment(row.ended_at),
        "data_interval_start": moment(row.logical_date),
        "data_interval_end": moment(row.logical_date),
        "run_after": moment(row.run_after or row.queued_at),
        "last_scheduling_decision": moment(row.started_at),
        "run_type": row.run_type,
        "state": row.state,
        "triggered_by": row.triggered_by,
        "conf": row.conf,
        "note": row.note,
        "dag_versions": [dag_version(row.dag_id, release)],
        "bundle_version": None,
        **(_newer(row) if release.since(3, 1) else {}),
        **({"partition_key": None, "partition_date": None} if release.since(3, 3) else {}),
    }


def _newer(row: FakeRun) -> dict[str, Any]:
    return {"duration": seconds(row.started_at, row.ended_at), "triggering_user_name": row.by or None}


def task_instance(row: TaskInstance, release: FakeRelease) -> dict[str, Any]:
    run = row.run
    return {
        "id": f"{run.dag_run_id}-{row.task_id}",
        "task_id": row.task_id,
        **_named(run.dag_id, release),
        "dag_run_id": run.dag_run_id,
        "map_index": row.map_index,
        "logical_date": moment(run.logical_date),
        "run_after": moment(run.queued_at),
        "start_date": moment(row.started_at),
        "end_date": moment(row.ended_at),
        "duration": seconds(row.started_at, row.ended_at),
        "state": row.state,
        "try_number": row.tries,
        "max_tries": 0,
        "task_display_name": row.task_id,
        "hostname": "worker",
        "unixname": "airflow",
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "operator": "_PythonDecoratedOperator",
        **({"operator_name": "@task"} if release.since(3, 1) else {}),
        "queued_when": moment(run.queued_at) if row.state else None,
        "scheduled_when": moment(run.queued_at) if row.state else None,
        "pid": None,
        "executor": None,
        "executor_config": "{}",
        "note": None,
        "rendered_map_index": row.label,
        "rendered_fields": {},
        "trigger": None,
        "triggerer_job": None,
        "dag_version": None,
    }
