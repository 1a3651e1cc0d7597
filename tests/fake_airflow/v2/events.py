"""Airflow 3's own log: what was asked of DAGs and runs, never of users and roles."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.events import wanted
from tests.fake_airflow.replies import moment
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeEvent
from tests.fake_airflow.v2.paging import in_order, page

router = Router(TOKEN)

ORDERS: Orders = {
    "id": None,
    "event_log_id": None,
    "dttm": lambda row: row[1].when,
    "when": lambda row: row[1].when,
    "dag_id": lambda row: row[1].dag_id,
    "run_id": lambda row: row[1].run_id,
    "event": lambda row: row[1].event,
    "owner": lambda row: row[1].owner,
    "extra": lambda row: row[1].extra,
}


@router("GET", "/eventLogs")
def events(call: Call) -> Any:
    call.need_dag("can_read", "~", ("can_read", "Audit Logs"))
    rows = in_order(wanted(call), call, "id", ORDERS)
    named = call.state.release.since(3, 1)
    return page("event_logs", rows, call, lambda row: shape(*row, named=named))


def shape(number: int, row: FakeEvent, *, named: bool) -> dict[str, Any]:
    return {
        "event_log_id": number,
        "when": moment(row.when),
        "dag_id": row.dag_id,
        "task_id": None,
        "run_id": row.run_id,
        "map_index": None,
        "try_number": None,
        "event": row.event,
        "logical_date": None,
        "owner": row.owner,
        "extra": row.extra,
        **({"dag_display_name": row.dag_id, "task_display_name": None} if named else {}),
    }
