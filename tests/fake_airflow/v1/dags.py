"""DAGs as Airflow 2 tells of them."""

from __future__ import annotations

import fnmatch
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import problem
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.rows import FakeDag
from tests.fake_airflow.v1 import serializers
from tests.fake_airflow.v1.paging import PAGED, in_order, page

router = Router(PASSWORD)

FILTERS: dict[str, type] = {
    "tags": str,
    "only_active": bool,
    "paused": bool,
    "dag_id_pattern": str,
    "fields": str,
}
READ_ONLY = ("dag_id", "dag_display_name", "is_active", "owners", "tags", "fileloc", "description", "schedule_interval")
BODY = {
    "is_paused": {"type": "boolean", "nullable": True},
    **{name: {"readOnly": True} for name in READ_ONLY},
}


@router("GET", "/dags", query={**PAGED, **FILTERS})
def dags(call: Call) -> Any:
    call.need_dag("can_read", "~")
    rows = in_order(
        [dag for dag in call.state.parsed_dags() if _wanted(call, dag)],
        call,
        "dag_id",
        {"dag_id": lambda dag: dag.dag_id},
    )
    return page("dags", rows, call, serializers.dag)


def _wanted(call: Call, dag: FakeDag) -> bool:
    query = call.query
    only_active = query.get("only_active", "true").lower() == "true"
    tags = query.get("tags", "")
    return (
        call.state.may_on_dag(call.by, "can_read", dag.dag_id)
        and not (only_active and dag.stale)
        and ("paused" not in query or dag.paused == (query["paused"].lower() == "true"))
        and (not tags or not set(tags.split(",")).isdisjoint(dag.tags))
        and like(dag.dag_id, query.get("dag_id_pattern", ""))
    )


def like(text: str, pattern: str) -> bool:
    """As SQL compares: "_" is any character, "%" are any."""
    if not pattern:
        return True
    return fnmatch.fnmatch(text.lower(), f"*{pattern.lower().replace('_', '?').replace('%', '*')}*")


@router("GET", "/dags/*", query={"fields": str})
def dag(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id)
    return serializers.dag(_dag(call, dag_id))


@router("GET", "/dags/*/details", query={"fields": str})
def details(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id)
    dag = _dag(call, dag_id)
    if dag.stale:  # what they are read from is gone
        raise problem(404, f"The DAG with dag_id: {dag_id} was not found", title="DAG not found")
    return serializers.dag_details(dag)


@router("PATCH", "/dags/*", query={"update_mask": str}, body=BODY)
def patch(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id)
    if unknown := {name: ["Unknown field."] for name in call.body if name not in BODY}:
        raise problem(400, str(unknown))
    if call.query.get("update_mask", "is_paused") != "is_paused":
        raise problem(400, "Only `is_paused` field can be updated through the REST API")
    dag = call.state.parsed_dag(dag_id)
    if dag is None:
        raise problem(404, title=f"Dag with id: '{dag_id}' not found")
    dag.paused = bool(call.body["is_paused"])
    return serializers.dag(dag)


@router("GET", "/importErrors", query=PAGED)
def import_errors(call: Call) -> Any:
    call.need("can_read", "ImportError")
    rows = [(place, error) for place, error in enumerate(call.state.import_errors.items(), start=1)]
    return page("import_errors", rows, call, lambda row: import_error(*row))


def import_error(place: int, error: tuple[str, str]) -> dict[str, Any]:
    filename, words = error
    return {
        "filename": f"/dags/{filename}",
        "import_error_id": place,
        "stack_trace": words,
        "timestamp": "2026-11-21T04:36:30.955786+00:00",
    }


def _dag(call: Call, dag_id: str) -> FakeDag:
    dag = call.state.parsed_dag(dag_id)
    if dag is None:
        raise problem(404, f"The DAG with dag_id: {dag_id} was not found", title="DAG not found")
    return dag
