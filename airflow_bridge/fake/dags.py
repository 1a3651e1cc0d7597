"""The fake's answers about DAGs and runs."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any

from airflow_bridge.fake import answers
from airflow_bridge.fake.answers import detail, faulty
from airflow_bridge.fake.routing import need, page, route
from airflow_bridge.fake.state import FakeDag, FakeRun, FakeUser, Request, State

PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


@route("GET", "/api/v2/version", public=True)
def version(state: State, request: Request) -> tuple[int, Any]:
    return 200, {"version": "3.3.2", "git_version": None}


@route("GET", "/api/v2/dags")
def dags(state: State, by: FakeUser, request: Request) -> tuple[int, Any]:
    rows = [dag for _, dag in sorted(state.dags.items()) if state.may_on_dag(by, "can_read", dag.dag_id)]
    if not rows:
        raise detail(403, "Forbidden")
    return 200, page("dags", [answers.dag(dag) for dag in rows if not dag.stale], request)


@route("GET", "/api/v2/dags/*/details")
def dag_details(state: State, by: FakeUser, request: Request, dag_id: str) -> tuple[int, Any]:
    _need_dag(state, by, "can_read", dag_id)
    if dag_id not in state.dags:
        raise detail(404, f"The Dag with ID: `{dag_id}` was not found")
    return 200, answers.dag_details(state.dags[dag_id])


@route("PATCH", "/api/v2/dags/*")
def patch_dag(state: State, by: FakeUser, request: Request, dag_id: str) -> tuple[int, Any]:
    _need_dag(state, by, "can_edit", dag_id)
    if request.query.get("update_mask", "is_paused") != "is_paused":
        raise detail(400, "Only `is_paused` field can be updated through the REST API")
    if dag_id not in state.dags:
        raise detail(404, f"Dag with id: {dag_id} was not found")
    state.dags[dag_id].paused = bool(request.body["is_paused"])
    return 200, answers.dag(state.dags[dag_id])


@route("POST", "/api/v2/dags/*/dagRuns")
def trigger(state: State, by: FakeUser, request: Request, dag_id: str) -> tuple[int, Any]:
    _need_dag(state, by, "can_edit", dag_id)
    if not state.may_on_runs(by, "can_create", dag_id):
        raise detail(403, "Forbidden")
    body = request.body
    if "logical_date" not in body:
        raise faulty("missing", "logical_date", "Field required", body)
    when = datetime.fromisoformat(body["logical_date"]) if body["logical_date"] else None
    if when and when.tzinfo is None:
        raise faulty("timezone_aware", "logical_date", "Input should have timezone info", body["logical_date"])
    conf = body.get("conf") or {}
    if not isinstance(conf, dict):
        raise faulty("dict_type", "conf", "Input should be a valid dictionary", conf)
    dag = state.dags.get(dag_id)
    if dag is None or dag.stale:
        raise detail(404, f"Dag with dag_id: '{dag_id}' not found")
    if dag.allowed_run_types is not None and "manual" not in dag.allowed_run_types:
        raise detail(400, f"Dag with dag_id: '{dag_id}' does not allow manual runs")
    run_id = body.get("dag_run_id") or f"manual__{secrets.token_hex(4)}"
    _check_run_id(run_id)
    _check_params(dag, conf)
    if state.run(dag_id, run_id) or (when and any(r.dag_id == dag_id and r.logical_date == when for r in state.runs)):
        raise answers.taken(secrets.token_urlsafe(6))
    state.runs.append(run := FakeRun(dag_id, run_id, when, conf, body.get("note")))
    return 200, answers.run(run, by=by.username)


@route("GET", "/api/v2/dags/*/dagRuns")
def dag_runs(state: State, by: FakeUser, request: Request, dag_id: str) -> tuple[int, Any]:
    _need_dag(state, by, "can_read", dag_id)
    _need_runs(state, by, dag_id)
    if dag_id != "~" and dag_id not in state.dags:
        raise detail(404, f"The Dag with ID: `{dag_id}` was not found")
    rows = [run for run in state.runs if dag_id in ("~", run.dag_id)]  # oldest first
    if request.query.get("order_by") == "-id":
        rows.reverse()
    return 200, page("dag_runs", [answers.run(run, by=by.username) for run in rows], request)


@route("GET", "/api/v2/dags/*/dagRuns/*")
def dag_run(state: State, by: FakeUser, request: Request, dag_id: str, run_id: str) -> tuple[int, Any]:
    return 200, answers.run(_run(state, by, dag_id, run_id), by=by.username)


@route("GET", "/api/v2/dags/*/dagRuns/*/taskInstances")
def task_instances(state: State, by: FakeUser, request: Request, dag_id: str, run_id: str) -> tuple[int, Any]:
    run = _run(state, by, dag_id, run_id)
    need(state, by, "can_read", "Task Instances")
    rows = answers.task_instances(run, state.dags[dag_id].tasks)
    return 200, page("task_instances", rows, request)


def _need_dag(state: State, by: FakeUser, action: str, dag_id: str) -> None:
    if not state.may_on_dag(by, action, dag_id):
        raise detail(403, "Forbidden")


def _need_runs(state: State, by: FakeUser, dag_id: str) -> None:
    if not state.may_on_runs(by, "can_read", dag_id):
        raise detail(403, "Forbidden")


def _run(state: State, by: FakeUser, dag_id: str, run_id: str) -> FakeRun:
    _need_dag(state, by, "can_read", dag_id)
    _need_runs(state, by, dag_id)
    run = state.run(dag_id, run_id)
    if run is None:
        raise detail(404, f"The DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found")
    return run


def _check_run_id(run_id: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_.~:+-]+", run_id):
        raise detail(400, f"The run_id provided '{run_id}' does not match regex pattern '^[A-Za-z0-9_.~:+-]+$'")
    if run_id.startswith("scheduled__"):
        words = f"A manual DAG run cannot use ID '{run_id}' since it is reserved for scheduled runs"
        raise detail(400, words)


def _check_params(dag: FakeDag, conf: dict[str, Any]) -> None:
    """As far as JSON Schema is used in the demo: type and enum. Only the first fault is told."""
    for name, param in dag.params.items():
        schema, value = param["schema"], conf.get(name, param["value"])
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        wrong = ""
        if kinds and not any(_is(value, kind) for kind in kinds):
            wrong = f"{value!r} is not of type {schema['type']!r}"
        elif "enum" in schema and value not in schema["enum"]:
            wrong = f"{value!r} is not one of {schema['enum']!r}"
        if wrong:
            raise detail(400, f"Invalid input for param {name}: {wrong}\n\nFailed validating in schema:\n    {schema}")


def _is(value: Any, kind: str) -> bool:
    # in JSON true is no number, in Python it is
    return isinstance(value, PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
