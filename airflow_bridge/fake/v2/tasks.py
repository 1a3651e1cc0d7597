"""The tasks of a run, as Airflow 3 shows them."""

from __future__ import annotations

from typing import Any

from airflow_bridge.fake.doors import TOKEN
from airflow_bridge.fake.routing import Call, Orders, Router
from airflow_bridge.fake.v2 import shapes
from airflow_bridge.fake.v2.paging import in_order, page
from airflow_bridge.fake.v2.runs import find

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
    run = find(call, dag_id, run_id)
    call.need("can_read", "Task Instances")
    rows = call.state.task_instances(run)
    if state := call.query.get("state"):
        rows = [row for row in rows if row.state == state]
    release = call.state.release
    rows = in_order(rows, call, "map_index", ORDERS)
    return page("task_instances", rows, call, lambda row: shapes.task_instance(row, release))
