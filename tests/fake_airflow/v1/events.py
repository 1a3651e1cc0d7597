"""Airflow 2's own log: what was asked of DAGs and runs, never of users and roles."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.events import wanted
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeEvent
from tests.fake_airflow.v1.paging import PAGED, in_order, page

router = Router(PASSWORD)

TEXTS = ("dag_id", "task_id", "run_id", "event", "owner", "before", "after", "included_events", "excluded_events")
FILTERS: dict[str, type] = {**PAGED, **dict.fromkeys(TEXTS, str), "map_index": int, "try_number": int}
ORDERS: Orders = {
    "event_log_id": None,
    "when": lambda row: row[1].when,
    "dag_id": lambda row: row[1].dag_id,
    "run_id": lambda row: row[1].run_id,
    "event": lambda row: row[1].event,
    "owner": lambda row: row[1].owner,
    "extra": lambda row: row[1].extra,
}


@router("GET", "/eventLogs", query=FILTERS)
def events(call: Call) -> Any:
    call.need("can_read", "Audit Logs")
    rows = in_order(wanted(call), call, "event_log_id", ORDERS)
    return page("event_logs", rows, call, lambda row: shape(*row))


def shape(number: int, row: FakeEvent) -> dict[str, Any]:
    return {
        "dag_id": row.dag_id,
        "event": row.event,
        "event_log_id": number,
        "execution_date": None,
        "extra": row.extra,
        "map_index": None,
        "owner": row.owner,
        "run_id": row.run_id,
        "task_id": None,
        "try_number": None,
        "when": row.when.isoformat(),
    }
