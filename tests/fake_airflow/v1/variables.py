"""Variables as Airflow 2 has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import HTML, NOTHING, problem
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeVariable
from tests.fake_airflow.v1.examine import load
from tests.fake_airflow.v1.paging import PAGED, in_order, page

router = Router(PASSWORD)

BODY = {
    "key": {"type": "string"},
    "value": {"type": "string"},
    "description": {"type": "string", "nullable": True},
}
KNOWN = dict.fromkeys(BODY)
ORDERS: Orders = {"id": None, "key": lambda row: row.key, "value": lambda row: row.value}


def serialize(row: FakeVariable) -> dict[str, Any]:
    return {"description": row.description, "key": row.key, "value": row.value}


@router("GET", "/variables", query=PAGED)
def variables(call: Call) -> Any:
    call.need("can_read", "Variables")
    return page("variables", in_order(list(call.state.variables.values()), call, "id", ORDERS), call, serialize)


@router("POST", "/variables", body=BODY)
def create(call: Call) -> Any:
    """One that is there already is written over."""
    call.need("can_create", "Variables")
    load(call.body, KNOWN, required=("key", "value"), title="Invalid Variable schema")
    row = FakeVariable(**call.body)
    call.state.variables[row.key] = row
    return serialize(row) if "description" in call.body else {"key": row.key, "value": row.value}


@router("GET", "/variables/*")
def variable(call: Call, key: str) -> Any:
    call.need("can_read", "Variables")
    return serialize(_variable(call, key))


@router("PATCH", "/variables/*", query={"update_mask": str}, body=BODY)
def patch(call: Call, key: str) -> Any:
    call.need("can_edit", "Variables")
    body = call.body
    load(body, KNOWN, required=("key", "value"), title="Invalid Variable schema")
    if body["key"] != key:
        raise problem(400, "key from request body doesn't match uri parameter", title="Invalid post body")
    row = _variable(call, key)
    mask = call.query.get("update_mask")
    for name in ("value", "description"):
        if name in body and (not mask or name in mask.split(",")):
            setattr(row, name, body[name])
    return serialize(row)


@router("DELETE", "/variables/*")
def delete(call: Call, key: str) -> Any:
    call.need("can_delete", "Variables")
    if key not in call.state.variables:
        raise problem(404, title="Variable not found")
    del call.state.variables[key]
    return replace(NOTHING, kind=HTML)


def _variable(call: Call, key: str) -> FakeVariable:
    if key not in call.state.variables:
        raise problem(404, "Variable does not exist", title="Variable not found")
    return call.state.variables[key]
