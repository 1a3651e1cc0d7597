"""Runs as Airflow 2 has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import NOTHING, crash, problem
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeRun
from tests.fake_airflow.rules import reserved, well_formed, wrong_param
from tests.fake_airflow.v1 import serializers
from tests.fake_airflow.v1.examine import load
from tests.fake_airflow.v1.paging import PAGED, in_order, page
from tests.fake_airflow.v1.tasks import reference

router = Router(PASSWORD)

KNOWN: dict[str, int | None] = {
    "dag_run_id": 250,
    "logical_date": None,
    "execution_date": None,
    "conf": None,
    "note": 1000,
    "data_interval_start": None,
    "data_interval_end": None,
}
_MOMENT = {"type": "string", "format": "date-time", "nullable": True}
BODY: dict[str, Any] = {
    "dag_run_id": {"type": "string", "nullable": True},
    **dict.fromkeys(("logical_date", "execution_date", "data_interval_start", "data_interval_end"), _MOMENT),
    "conf": {"type": "object"},
    "note": {"type": "string", "nullable": True},
    **{name: {"readOnly": True} for name in ("dag_id", "state", "start_date", "end_date", "run_type")},
}
BETWEEN = tuple(f"{name}_{end}" for name in ("execution_date", "start_date", "end_date") for end in ("gte", "lte"))
FILTERS: dict[str, type] = {
    **dict.fromkeys((*BETWEEN, "updated_at_gte", "updated_at_lte"), str),
    "state": str,
    "fields": str,
}
ORDERS: Orders = {
    "id": None,
    "state": lambda run: run.state,
    "dag_id": lambda run: run.dag_id,
    "execution_date": lambda run: run.logical_date,
    "dag_run_id": lambda run: run.dag_run_id,
    "start_date": lambda run: run.started_at,
    "end_date": lambda run: run.ended_at,
    "updated_at": lambda run: run.ended_at or run.started_at or run.queued_at,
    "external_trigger": None,
    "conf": lambda run: str(run.conf),
}
COLUMNS = {"execution_date": "logical_date", "start_date": "started_at", "end_date": "ended_at"}


@router("POST", "/dags/*/dagRuns", body=BODY)
def trigger(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_create", "DAG Runs"))
    dag = call.state.parsed_dag(dag_id)
    if dag is None or dag.stale:
        raise problem(404, f"DAG with dag_id: '{dag_id}' not found", title="DAG not found")
    if dag.import_errors:
        raise problem(400, f"DAG with dag_id: '{dag_id}' has import errors", title="DAG cannot be triggered")
    body = call.body
    load(body, KNOWN)
    given = body.get("logical_date") or body.get("execution_date")
    when = datetime.fromisoformat(given) if given else datetime.now(UTC)
    run_id = body.get("dag_run_id") or f"manual__{when.isoformat()}"
    if any(run.dag_id == dag_id and run.logical_date == when for run in call.state.runs):
        date = when.isoformat(sep=" ")
        raise problem(409, f"DAGRun with DAG ID: '{dag_id}' and DAGRun logical date: '{date}' already exists")
    if call.state.run(dag_id, run_id):
        raise problem(409, f"DAGRun with DAG ID: '{dag_id}' and DAGRun ID: '{run_id}' already exists")
    if words := reserved(run_id, ("scheduled", "backfill", "dataset_triggered")):
        raise problem(400, words)
    if not well_formed(run_id):
        raise crash()
    conf = body.get("conf") or {}
    nothing = "No value passed and Param has no default value"
    if words := wrong_param(dag, conf, sorted(dag.params), nothing=nothing):
        raise problem(400, words)
    run = FakeRun(dag_id, run_id, when, conf, body.get("note"), by=call.by.username)
    run.noted_by = call.by.username if run.note else ""
    call.state.runs.append(run)
    return serializers.run(run)


@router("GET", "/dags/*/dagRuns", query={**PAGED, **FILTERS})
def runs(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"))
    rows = [run for run in call.state.runs if _wanted(call, run, dag_id)]
    rows = in_order(rows, call, "id", ORDERS)
    return page("dag_runs", rows, call, serializers.run)


def _wanted(call: Call, run: FakeRun, dag_id: str) -> bool:
    """Of a DAG that is not there, none: not even a 404."""
    if dag_id not in ("~", run.dag_id) or not call.state.may_on_dag(call.by, "can_read", run.dag_id):
        return False
    states = call.query.get("state")
    if states and run.state not in states.split(","):
        return False
    return all(_within(run, name, call.query[name]) for name in BETWEEN if name in call.query)


def _within(run: FakeRun, name: str, bound: str) -> bool:
    value = getattr(run, COLUMNS[name[:-4]])
    end = datetime.fromisoformat(bound.replace(" ", "+"))
    return value is not None and (value >= end if name.endswith("gte") else value <= end)


@router("GET", "/dags/*/dagRuns/*", query={"fields": str})
def run(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"))
    found = call.state.run(dag_id, run_id)
    if found is None:
        words = f"DAGRun with DAG ID: '{dag_id}' and DagRun ID: '{run_id}' not found"
        raise problem(404, words, title="DAGRun not found")
    return serializers.run(found)


STATES = ["success", "failed", "queued"]


@router("PATCH", "/dags/*/dagRuns/*", body={"state": {"type": "string", "enum": STATES}})
def set_state(call: Call, dag_id: str, run_id: str) -> Any:
    """Whatever the state was: a success becomes a failure as willingly."""
    run = _run_to_change(call, dag_id, run_id)
    load(call.body, {"state": None})
    call.state.set_state(run, call.body["state"])
    return serializers.run(run)


@router(
    "PATCH",
    "/dags/*/dagRuns/*/setNote",
    body={"note": {"type": "string"}},
)
def set_note(call: Call, dag_id: str, run_id: str) -> Any:
    run = _run_to_change(call, dag_id, run_id)
    load(call.body, {"note": 1000})
    run.note, run.noted_by = call.body["note"], call.by.username
    return serializers.run(run)


@router("POST", "/dags/*/dagRuns/*/clear", body={"dry_run": {"type": "boolean"}})
def clear(call: Call, dag_id: str, run_id: str) -> Any:
    run = _run_to_change(call, dag_id, run_id, gap="   ")
    load(call.body, {"dry_run": None})
    found = call.state.to_clear(run, None, only_failed=False)
    if call.body.get("dry_run", True):
        return {"task_instances": [reference(row.run, row.task_id) for row in found]}
    call.state.clear_tasks(found, reset_runs=True)
    return serializers.run(run)


@router("DELETE", "/dags/*/dagRuns/*")
def delete(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_delete", "DAG Runs"))
    found = call.state.run(dag_id, run_id)
    if found is None:
        raise problem(404, f"DAGRun with DAG ID: '{dag_id}' and DagRun ID: '{run_id}' not found")
    call.state.runs.remove(found)
    return NOTHING


def _run_to_change(call: Call, dag_id: str, run_id: str, *, gap: str = " ") -> FakeRun:
    call.need_dag("can_edit", dag_id, ("can_edit", "DAG Runs"))
    found = call.state.run(dag_id, run_id)
    if found is None:
        raise problem(404, title=f"Dag Run id {run_id} not found in dag{gap}{dag_id}")
    return found
