"""Runs as Airflow 3 has them."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import NOTHING, Refusal, Reply, detail, faulty
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeRun
from tests.fake_airflow.rules import MADE_UP, RUN_ID, reserved, well_formed, wrong_param
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check, refuse, truth
from tests.fake_airflow.v2.paging import in_order, page, with_cursors
from tests.fake_airflow.v2.waiting import Looks

router = Router(TOKEN)

TRIGGER = {
    "dag_run_id": Field(null=True),
    "data_interval_start": Field("moment", null=True),
    "data_interval_end": Field("moment", null=True),
    "logical_date": Field("moment", required=True, null=True),
    "run_after": Field("moment", null=True),
    "conf": Field("dict", null=True),
    "note": Field(null=True),
}
STATES = ("queued", "success", "failed")
ALL_STATES = ("queued", "running", "success", "failed")
ORDERS: Orders = {
    "id": None,
    "state": lambda run: run.state,
    "dag_id": lambda run: run.dag_id,
    "run_id": lambda run: run.dag_run_id,
    "dag_run_id": lambda run: run.dag_run_id,
    "logical_date": lambda run: run.logical_date,
    "run_after": lambda run: run.queued_at,
    "start_date": lambda run: run.started_at,
    "end_date": lambda run: run.ended_at,
    "updated_at": lambda run: run.ended_at or run.started_at or run.queued_at,
    "conf": lambda run: str(run.conf),
}
COLUMNS = {
    "logical_date": "logical_date",
    "run_after": "queued_at",
    "start_date": "started_at",
    "end_date": "ended_at",
}


def taken(dag_id: str, column: str, value: str, *, open_hearted: bool) -> Refusal:
    """The same for a run id and for a logical date; older releases show PostgreSQL's words, which tell them apart."""
    words = "Serious error when handling your request. Check logs for more details - "
    words += f"you will find it in api server when you look for ID {secrets.token_urlsafe(6)}"
    hidden = {"statement": "hidden", "orig_error": "hidden"}
    if open_hearted:
        failed = f'duplicate key value violates unique constraint "dag_run_dag_id_{column}_key"\n'
        failed += f"DETAIL:  Key (dag_id, {column})=({dag_id}, {value}) already exists.\n"
        hidden = {"statement": "INSERT INTO dag_run (dag_id) VALUES (%(dag_id)s)", "orig_error": failed}
    return detail(409, {"reason": "Unique constraint violation", **hidden, "message": words})


@router("POST", "/dags/*/dagRuns")
def trigger(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_create", "DAG Runs"))
    state = call.state
    newest = {"partition_key": Field(null=True)} if state.release.since(3, 3) else {}
    body = check(call, TRIGGER | newest)
    dag = state.parsed_dag(dag_id)
    if dag is None or dag.stale:
        raise detail(404, f"{'Dag' if state.release.since(3, 3) else 'DAG'} with dag_id: '{dag_id}' not found")
    if dag.import_errors:
        raise detail(400, f"Dag with dag_id: '{dag_id}' has import errors and cannot be triggered")
    if dag.allowed_run_types is not None and "manual" not in dag.allowed_run_types:
        raise detail(400, f"Dag with dag_id: '{dag_id}' does not allow manual runs")
    when = datetime.fromisoformat(body["logical_date"]) if body["logical_date"] else None
    conf = body.get("conf") or {}
    run_id = body.get("dag_run_id") or _made_up(when)
    if not well_formed(run_id):
        raise detail(400, f"The run_id provided '{run_id}' does not match regex pattern '{RUN_ID}' or '{MADE_UP}'")
    if words := reserved(run_id, ("scheduled", "backfill", "operator_triggered", "asset_triggered")):
        raise detail(400, words)
    if words := wrong_param(dag, conf, dag.params, nothing="No value passed", jsonb=state.release.since(3, 3)):
        raise detail(400, words)
    if when and any(run.dag_id == dag_id and run.logical_date == when for run in state.runs):
        shown = re.sub(r"0+$", "", f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}").rstrip(".")
        raise taken(dag_id, "logical_date", f"{shown}+00", open_hearted=not state.release.since(3, 3))
    if state.run(dag_id, run_id):
        raise taken(dag_id, "run_id", run_id, open_hearted=not state.release.since(3, 3))
    run = FakeRun(dag_id, run_id, when, conf, body.get("note"), by=call.by.username)
    run.noted_by = call.by.username if run.note else ""
    if body.get("run_after"):
        run.run_after = datetime.fromisoformat(body["run_after"])
    state.runs.append(run)
    return serializers.run(run, state.release)


def _made_up(when: datetime | None) -> str:
    if when:
        return f"manual__{when.isoformat()}"
    return f"manual__{datetime.now(UTC).isoformat()}_{secrets.token_hex(4)}"


@router("GET", "/dags/*/dagRuns")
def runs(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"))
    if not set(call.values("state")) <= set(ALL_STATES):
        raise detail(422, f"Invalid value for state. Valid values are {', '.join(ALL_STATES)}")
    if dag_id != "~" and call.state.parsed_dag(dag_id) is None:
        named = "Dag with ID" if call.state.release.since(3, 1) else "DAG with dag_id"
        raise detail(404, f"The {named}: `{dag_id}` was not found")
    rows = in_order([run for run in call.state.runs if _wanted(call, run, dag_id)], call, "id", ORDERS)
    release = call.state.release
    return with_cursors(page("dag_runs", rows, call, lambda run: serializers.run(run, release)), call)


def _wanted(call: Call, run: FakeRun, dag_id: str) -> bool:
    query = call.query
    if dag_id not in ("~", run.dag_id) or not call.state.may_on_dag(call.by, "can_read", run.dag_id):
        return False
    return (
        run.state in (call.values("state") or [run.state])
        and run.run_type in (call.values("run_type") or [run.run_type])
        and query.get("run_id_pattern", "").lower() in run.dag_run_id.lower()
        and all(_within(getattr(run, column), query, name) for name, column in COLUMNS.items())
    )


def _within(value: datetime | None, query: Any, name: str) -> bool:
    earliest, latest = (query.get(f"{name}_{end}") for end in ("gte", "lte"))
    if not earliest and not latest:
        return True
    return value is not None and (
        (not earliest or value >= datetime.fromisoformat(earliest))
        and (not latest or value <= datetime.fromisoformat(latest))
    )


@router("GET", "/dags/*/dagRuns/*")
def run(call: Call, dag_id: str, run_id: str) -> Any:
    return serializers.run(find(call, dag_id, run_id), call.state.release)


PATCHED = {"state": Field(choices=STATES, null=True), "note": Field(null=True, longest=1000)}


@router("PATCH", "/dags/*/dagRuns/*")
def patch(call: Call, dag_id: str, run_id: str) -> Any:
    """Whatever the state was: a success becomes a failure as willingly."""
    call.need_dag("can_edit", dag_id, ("can_edit", "DAG Runs"))
    body = check(call, PATCHED)
    found = _found(call, dag_id, run_id)
    mask = call.values("update_mask")
    wanted = {name: value for name, value in body.items() if not mask or name in mask}
    if "note" in wanted:
        found.note, found.noted_by = wanted["note"], call.by.username
    if wanted.get("state"):
        call.state.set_state(found, wanted["state"])
    return serializers.run(found, call.state.release)


CLEAR = {
    "dry_run": Field("bool"),
    "only_failed": Field("bool"),
    "only_new": Field("bool"),
    "run_on_latest_version": Field("bool", null=True),
    "note": Field(null=True, longest=1000),
}


@router("POST", "/dags/*/dagRuns/*/clear")
def clear(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_edit", "DAG Runs"))
    body = check(call, CLEAR)
    dry_run = truth(body.get("dry_run", True))
    found = _found(call, dag_id, run_id)
    chosen = call.state.to_clear(found, None, only_failed=truth(body.get("only_failed", False)))
    if dry_run:
        rows = [serializers.task_instance(row, call.state.release) for row in chosen]
        return {"task_instances": rows, "total_entries": len(rows)}
    call.state.clear_tasks(chosen, reset_runs=True)
    return serializers.run(found, call.state.release)


@router("GET", "/dags/*/dagRuns/*/wait")
def wait(call: Call, dag_id: str, run_id: str) -> Any:
    """A line with the state every so often, until the run has ended; no content type."""
    if not call.state.release.since(3, 1):
        raise Refusal(Reply(404, {"error": "API route not found"}))
    run = find(call, dag_id, run_id)
    interval = call.query.get("interval")
    if interval is None:
        raise refuse([faulty("missing", ("query", "interval"), "Field required", None)])
    if float(interval) <= 0:
        words = "Input should be greater than 0"
        raise refuse([faulty("greater_than", ("query", "interval"), words, interval, ctx={"gt": 0.0})])
    # 3.1 says nothing until the end
    return Reply(200, Looks(run, float(interval), silent=not call.state.release.since(3, 3)), kind="")


@router("DELETE", "/dags/*/dagRuns/*")
def delete(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_delete", "DAG Runs"))
    found = _found(call, dag_id, run_id)
    if found.state not in STATES:
        named = f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}`"
        raise detail(409, f"{named} cannot be deleted in {found.state} state")
    call.state.runs.remove(found)
    return NOTHING


def find(call: Call, dag_id: str, run_id: str) -> FakeRun:
    """A run to look at."""
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"))
    return _found(call, dag_id, run_id)


def _found(call: Call, dag_id: str, run_id: str) -> FakeRun:
    found = call.state.run(dag_id, run_id)
    if found is None:
        raise detail(404, f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return found
