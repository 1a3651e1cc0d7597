"""The tasks of a run and their logs, as Airflow 2 shows them."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import TEXT, Reply, moment_v1, problem
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.rows import FakeRun
from tests.fake_airflow.tasks import TaskInstance, log_lines
from tests.fake_airflow.v1 import serializers
from tests.fake_airflow.v1.examine import load
from tests.fake_airflow.v1.paging import page

router = Router(PASSWORD)

BETWEEN = [f"{name}_{end}" for name in ("execution_date", "start_date", "end_date") for end in ("gte", "lte")]
FILTERS: dict[str, type] = {
    "limit": int,
    "offset": int,
    **dict.fromkeys((*BETWEEN, "updated_at_gte", "updated_at_lte"), str),
    **dict.fromkeys(("duration_gte", "duration_lte", "state", "pool", "queue", "executor"), str),
}


@router("GET", "/dags/*/dagRuns/*/taskInstances", query=FILTERS)
def task_instances(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
    run = call.state.run(dag_id, run_id)
    rows = call.state.task_instances(run) if run else []  # of a run that is not there, none: not even a 404
    if states := call.query.get("state"):
        rows = [row for row in rows if str(row.state) in states.split(",")]
    return page("task_instances", rows, call, serializers.task_instance, capped=False)


@router("GET", "/dags/*/dagRuns/*/taskInstances/*")
def task_instance(call: Call, dag_id: str, run_id: str, task_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
    run = call.state.run(dag_id, run_id)
    rows = call.state.task_instances(run) if run else []
    found = next((row for row in rows if row.task_id == task_id), None)
    if found is None:
        raise problem(404, title="Task instance not found")
    return serializers.task_instance(found)


CLEAR: dict[str, Any] = {
    "task_ids": {"type": "array", "items": {"type": "string"}},
    "dag_run_id": {"type": "string", "nullable": True},
    **{name: {"type": "boolean"} for name in ("dry_run", "only_failed", "only_running", "reset_dag_runs")},
    **{f"include_{which}": {"type": "boolean"} for which in ("upstream", "downstream", "future", "past")},
}


@router("POST", "/dags/*/clearTaskInstances", body=CLEAR)
def clear(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_edit", "DAG Runs"), ("can_edit", "Task Instances"))
    body, state = call.body, call.state
    load(body, dict.fromkeys(CLEAR))
    if state.parsed_dag(dag_id) is None:
        raise problem(404, title=f"Dag id {dag_id} not found")
    run_id = body.get("dag_run_id")
    if run_id is not None and state.run(dag_id, run_id) is None:
        raise problem(404, title=f"Dag Run id {run_id} not found in dag {dag_id}")
    runs = [run for run in state.runs if run.dag_id == dag_id and run_id in (None, run.dag_run_id)]
    only_failed, downstream = body.get("only_failed", True), body.get("include_downstream", False)
    names = body.get("task_ids")
    found = [row for run in runs for row in state.to_clear(run, names, only_failed, downstream=downstream)]
    if not body.get("dry_run", True):
        state.clear_tasks(found, reset_runs=body.get("reset_dag_runs", False))
    return {"task_instances": [reference(row.run, row.task_id) for row in found]}


def reference(run: FakeRun, task_id: str) -> dict[str, Any]:
    when = run.logical_date.isoformat() if run.logical_date else None
    names = {"dag_id": run.dag_id, "dag_run_id": run.dag_run_id, "task_id": task_id}
    return {**names, "execution_date": when}


XCOM = {"map_index": int, "deserialize": bool, "stringify": bool}


@router("GET", "/dags/*/dagRuns/*/taskInstances/*/xcomEntries/*", query=XCOM)
def xcom(call: Call, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"), ("can_read", "Task Instances"), ("can_read", "XComs"))
    run = call.state.run(dag_id, run_id)
    if run is None or (task_id, key) not in run.xcoms:
        raise problem(404, title="XCom entry not found")
    value = run.xcoms[task_id, key]
    when = moment_v1(run.logical_date)
    names = {"dag_id": dag_id, "task_id": task_id, "key": key, "map_index": -1, "execution_date": when}
    as_text = call.query.get("stringify", "true").lower() == "true"
    return {**names, "timestamp": moment_v1(run.ended_at or run.queued_at), "value": str(value) if as_text else value}


LOG = {"full_content": bool, "map_index": int, "token": str}


@router("GET", "/dags/*/dagRuns/*/taskInstances/*/logs/*", query=LOG)
def log(call: Call, dag_id: str, run_id: str, task_id: str, attempt: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "Task Logs"))
    start = _place(call.query.get("token", ""))
    run = call.state.run(dag_id, run_id)
    rows = call.state.task_instances(run) if run else []
    task = next((row for row in rows if row.task_id == task_id), None)
    if task is None:
        raise problem(404, title="TaskInstance not found")
    lines = _lines(task, int(attempt))
    wanted = call.request.accept
    if wanted and not any(kind in wanted for kind in ("*/*", "text/")):
        # what Python shows of a list of pairs, and a token whether anything is left or not
        token = _token({"end_of_log": task.ended_at is not None, "log_pos": len(lines)})
        return {"content": repr([(_host(task, attempt), "\n".join(lines[start:]))]), "continuation_token": token}
    text = "\n".join((_host(task, attempt), *lines))  # all of it, whatever the token
    return Reply(200, f"{text}\n", TEXT)


def _host(task: TaskInstance, attempt: str) -> str:
    if attempt == "0":
        return "default_host"
    return "worker" if task.state else ""


def _lines(task: TaskInstance, attempt: int) -> list[str]:
    """What is wrong with the try is no error, it is said in the text."""
    if attempt == 0:
        return ["Error fetching the logs. Try number 0 is invalid."]
    lines = [" INFO - ::group::Log message source details"]
    if task.state is not None and attempt > task.tries:
        lines.append("*** Could not read served logs: 403 FORBIDDEN")
    lines.append(" INFO - ::endgroup::")
    return lines + log_lines(task, attempt) if attempt <= task.tries else lines


def _token(payload: dict[str, Any]) -> str:
    text = json.dumps(payload, separators=(",", ":"))
    return f"{base64.urlsafe_b64encode(text.encode()).decode().rstrip('=')}.signed"


def _place(token: str) -> int:
    """The line that a token stands for."""
    if not token:
        return 0
    payload, _, signature = token.partition(".")
    if signature != "signed":
        raise problem(400, title="Bad Signature. Please use only the tokens provided by the API.")
    return int(json.loads(base64.urlsafe_b64decode(payload + "=="))["log_pos"])
