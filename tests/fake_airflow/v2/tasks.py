"""The tasks of a run, as Airflow 3 shows them."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import detail, moment
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check, truth
from tests.fake_airflow.v2.paging import in_order, page, with_cursors

router = Router(TOKEN)

ORDERS: Orders = {
    "id": None,
    "map_index": None,
    "state": lambda row: row.state,
    "start_date": lambda row: row.started_at,
    "end_date": lambda row: row.ended_at,
    "try_number": lambda row: row.tries,
}


@router("GET", "/dags/*/dagRuns/*/taskInstances")
def task_instances(call: Call, dag_id: str, run_id: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "DAG Runs"), ("can_read", "Task Instances"))
    run = call.state.run(dag_id, run_id)
    if run is None:
        where = f"dag_id: `{dag_id}` and " if call.state.release.since(3, 3) else ""
        raise detail(404, f"DagRun with {where}run_id: `{run_id}` was not found")
    rows = call.state.task_instances(run)
    if states := call.values("state"):
        rows = [row for row in rows if str(row.state) in states]
    release = call.state.release
    rows = in_order(rows, call, "map_index", ORDERS)
    answer = page("task_instances", rows, call, lambda row: serializers.task_instance(row, release))
    return with_cursors(answer, call)


XCOM_PATH = "/dags/*/dagRuns/*/taskInstances/*/xcomEntries/*"


@router("GET", XCOM_PATH)
def xcom(call: Call, dag_id: str, run_id: str, task_id: str, key: str) -> Any:
    call.need_dag("can_read", dag_id, ("can_read", "XComs"))
    run = call.state.run(dag_id, run_id)
    if run is None or (task_id, key) not in run.xcoms:
        raise detail(404, f"XCom entry with key: `{key}` not found")
    newest = call.state.release.since(3, 1)
    return {
        "key": key,
        "timestamp": moment(run.ended_at or run.queued_at),
        "logical_date": moment(run.logical_date),
        "map_index": -1,
        "task_id": task_id,
        "dag_id": dag_id,
        "run_id": run_id,
        "dag_display_name": dag_id,
        **({"task_display_name": task_id, "run_after": moment(run.run_after or run.queued_at)} if newest else {}),
        "value": run.xcoms[task_id, key],
    }


CLEAR = {
    "task_ids": Field("list", null=True),
    "dag_run_id": Field(null=True),
    **{name: Field("bool") for name in ("dry_run", "only_failed", "only_running", "reset_dag_runs")},
    **{f"include_{which}": Field("bool") for which in ("upstream", "downstream", "future", "past")},
    "run_on_latest_version": Field("bool", null=True),
    "prevent_running_task": Field("bool"),
    "note": Field(null=True, longest=1000),
}


@router("POST", "/dags/*/clearTaskInstances")
def clear(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id, ("can_edit", "DAG Runs"), ("can_edit", "Task Instances"))
    body, state = check(call, CLEAR), call.state
    if state.parsed_dag(dag_id) is None:
        raise detail(404, f"The Dag with ID: `{dag_id}` was not found")
    run_id = body.get("dag_run_id")
    if run_id is not None and state.run(dag_id, run_id) is None:
        raise detail(404, f"Dag Run id {run_id} not found in dag {dag_id}")
    runs = [run for run in state.runs if run.dag_id == dag_id and run_id in (None, run.dag_run_id)]
    only_failed, downstream = truth(body.get("only_failed", True)), truth(body.get("include_downstream", False))
    names = body.get("task_ids")
    found = [row for run in runs for row in state.to_clear(run, names, only_failed, downstream=downstream)]
    rows = [serializers.task_instance(row, state.release) for row in found]
    if not truth(body.get("dry_run", True)):
        state.clear_tasks(found, reset_runs=truth(body.get("reset_dag_runs", True)))
    return with_cursors({"task_instances": rows, "total_entries": len(rows)}, call)
