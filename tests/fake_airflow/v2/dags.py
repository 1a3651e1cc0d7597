"""DAGs as Airflow 3 tells of them."""

from __future__ import annotations

import fnmatch
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import Refusal, detail
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeDag
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check, truth
from tests.fake_airflow.v2.paging import in_order, page

router = Router(TOKEN)

ORDERS: Orders = {
    "dag_id": lambda dag: dag.dag_id,
    "dag_display_name": lambda dag: dag.dag_id,
    "next_dagrun": lambda dag: dag.next_run,
}


@router("GET", "/dags")
def dags(call: Call) -> Any:
    call.need_dag("can_read", "~")
    rows = [dag for dag in call.state.parsed_dags() if _wanted(call, dag)]
    release = call.state.release
    return page("dags", in_order(rows, call, "dag_id", ORDERS), call, lambda dag: serializers.dag(dag, release))


def _wanted(call: Call, dag: FakeDag) -> bool:
    query = call.query
    tags, owners = call.values("tags"), call.values("owners")
    return (
        call.state.may_on_dag(call.by, "can_read", dag.dag_id)
        and not (truth(query.get("exclude_stale", "true")) and dag.stale)
        and ("paused" not in query or dag.paused == truth(query["paused"]))
        and (not tags or not set(tags).isdisjoint(dag.tags))
        and (not owners or dag.owner in owners)
        and any(like(dag.dag_id, pattern) for pattern in query.get("dag_id_pattern", "").split("|"))
    )


def like(text: str, pattern: str) -> bool:
    """As SQL compares: "_" is any character, "%" are any."""
    if not pattern:
        return True
    return fnmatch.fnmatch(text.lower(), f"*{pattern.lower().replace('_', '?').replace('%', '*')}*")


@router("GET", "/dags/*")
def dag(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id)
    found = call.state.parsed_dag(dag_id)
    if found is None:
        raise _lost(call, dag_id)
    return serializers.dag(found, call.state.release)


@router("GET", "/dags/*/details")
def details(call: Call, dag_id: str) -> Any:
    call.need_dag("can_read", dag_id)
    found = call.state.parsed_dag(dag_id)
    if found is None:
        raise _lost(call, dag_id)
    return serializers.dag_details(found, call.state.release)


def _lost(call: Call, dag_id: str) -> Refusal:
    if call.state.release.since(3, 1):
        return detail(404, f"The Dag with ID: `{dag_id}` was not found")
    return detail(404, f"Dag with id {dag_id} was not found")


@router("PATCH", "/dags/*")
def patch(call: Call, dag_id: str) -> Any:
    call.need_dag("can_edit", dag_id)
    body = check(call, {"is_paused": Field("bool", required=True)})
    found = call.state.parsed_dag(dag_id)
    if found is None:
        raise detail(404, f"Dag with id: {dag_id} was not found")
    if call.query.get("update_mask", "is_paused") != "is_paused":
        raise detail(400, "Only `is_paused` field can be updated through the REST API")
    found.paused = truth(body["is_paused"])
    return serializers.dag(found, call.state.release)


@router("GET", "/importErrors")
def import_errors(call: Call) -> Any:
    call.need("can_read", "ImportError")
    rows = list(enumerate(call.state.import_errors.items(), start=1))
    return page("import_errors", rows, call, lambda row: import_error(*row))


def import_error(place: int, error: tuple[str, str]) -> dict[str, Any]:
    filename, words = error
    return {
        "import_error_id": place,
        "timestamp": "2026-11-21T04:36:30.955786Z",
        "filename": filename,
        "bundle_name": "dags-folder",
        "stack_trace": words,
    }
