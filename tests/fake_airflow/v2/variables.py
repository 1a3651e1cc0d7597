"""Variables as Airflow 3 has them: with a name that sounds secret, the value is never told."""

from __future__ import annotations

import json
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import NOTHING, TEXT, Refusal, Reply, detail
from tests.fake_airflow.routing import SECRET, Call, Orders, Router
from tests.fake_airflow.rows import FakeVariable
from tests.fake_airflow.v2.bodies import Field, check
from tests.fake_airflow.v2.paging import in_order, page

router = Router(TOKEN)

BODY = {
    "key": Field(required=True, longest=250),
    "value": Field("any", required=True),
    "description": Field(null=True),
    "team_name": Field(null=True, longest=50),
}
ORDERS: Orders = {
    "id": None,
    "key": lambda row: row.key,
    "_val": lambda row: row.value,
    "description": lambda row: row.description,
    "is_encrypted": None,
}


def serialize(row: FakeVariable, call: Call) -> dict[str, Any]:
    return {
        "key": row.key,
        "value": _shown(row.key, row.value),
        "description": row.description,
        "is_encrypted": True,
        **({"team_name": None} if call.state.release.since(3, 3) else {}),
    }


@router("GET", "/variables")
def variables(call: Call) -> Any:
    call.need("can_read", "Variables")
    wanted = call.query.get("variable_key_pattern", "").strip("%").lower()
    rows = [row for row in call.state.variables.values() if wanted in row.key.lower()]
    return page("variables", in_order(rows, call, "id", ORDERS), call, lambda row: serialize(row, call))


@router("POST", "/variables")
def create(call: Call) -> Any:
    call.need("can_create", "Variables")
    body = check(call, BODY)
    if body["key"] in call.state.variables:
        raise detail(409, f"The Variable with key: `{body['key']}` already exists")
    row = FakeVariable(body["key"], _text(body["value"]), body.get("description"))
    call.state.variables[row.key] = row
    return Reply(201, serialize(row, call))


@router("GET", "/variables/**")
def variable(call: Call, key: str) -> Any:
    call.need("can_read", "Variables")
    return serialize(_variable(call, key), call)


@router("PATCH", "/variables/**")
def patch(call: Call, key: str) -> Any:
    call.need("can_edit", "Variables")
    body = check(call, BODY)
    if body["key"] != key:
        raise detail(400, "Invalid body, key from request body doesn't match uri parameter")
    row = _variable(call, key)
    mask = call.values("update_mask")
    wanted = {name for name in body if not mask or name in mask}
    if "value" in wanted and not isinstance(body["value"], str) and not call.state.release.since(3, 3):
        raise Refusal(Reply(500, "Internal Server Error", TEXT))
    if "value" in wanted:
        row.value = _text(body["value"])
    if "description" in wanted:
        row.description = body["description"]
    return serialize(row, call)


@router("DELETE", "/variables/**")
def delete(call: Call, key: str) -> Any:
    call.need("can_delete", "Variables")
    del call.state.variables[_variable(call, key).key]
    return NOTHING


def _variable(call: Call, key: str) -> FakeVariable:
    if key not in call.state.variables:
        raise detail(404, f"The Variable with key: `{key}` was not found")
    return call.state.variables[key]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2)


def _shown(key: str, value: str) -> str:
    """JSON is written anew each time it is shown; texts of names that sound secret are hidden, inside of it too."""
    try:
        return json.dumps(_without_secrets(json.loads(value), key))
    except ValueError:
        return str(_without_secrets(value, key))


def _without_secrets(value: Any, name: str = "", hidden: bool = False) -> Any:
    hidden = hidden or any(word in name.lower() for word in SECRET)
    if isinstance(value, dict):
        return {key: _without_secrets(item, key, hidden) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item, "", hidden) for item in value]
    return "***" if hidden and isinstance(value, str) else value
