"""Roles and permissions as Airflow 2 and old FAB providers have them: what a role once has, no PATCH takes away."""

from __future__ import annotations

import operator
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.permissions import ACTIONS
from tests.fake_airflow.replies import NOTHING, crash, problem
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeRole
from tests.fake_airflow.rules import known_pairs
from tests.fake_airflow.v1 import serializers
from tests.fake_airflow.v1.examine import load
from tests.fake_airflow.v1.paging import PAGED, in_order, page

router = Router(PASSWORD)
permissions_router = Router(PASSWORD)

_NAMED = {"type": "object", "properties": {"name": {"type": "string"}}}
BODY: dict[str, Any] = {
    "name": {"type": "string", "minLength": 1},
    "actions": {"type": "array", "items": {"type": "object", "properties": {"action": _NAMED, "resource": _NAMED}}},
}
ORDERS: Orders = {"name": operator.attrgetter("name"), "role_id": None}
KNOWN: dict[str, int | None] = {"name": 64, "actions": None}


@router("GET", "/roles", query=PAGED)
def roles(call: Call) -> Any:
    call.need("can_read", "Roles")
    rows = in_order(list(call.state.roles.values()), call, "name", ORDERS, both_ways=False)
    return page("roles", rows, call, serializers.role)


@router("POST", "/roles", body=BODY)
def create(call: Call) -> Any:
    call.need("can_create", "Roles")
    body = call.body
    load(body, KNOWN, required=("name",))
    name = body["name"]
    if name in call.state.roles:
        raise problem(409, f"Role with name '{name}' already exists; please update with the PATCH endpoint")
    if "actions" not in body:
        raise crash()
    call.state.roles[name] = FakeRole(name, known_pairs(call.state, body["actions"], problem))
    return {}  # the answer is made of the role that was not there before


@router("GET", "/roles/*")
def role(call: Call, name: str) -> Any:
    call.need("can_read", "Roles")
    return serializers.role(_role(call, name))


@router("PATCH", "/roles/*", query={"update_mask": str}, body=BODY)
def patch(call: Call, name: str) -> Any:
    call.need("can_edit", "Roles")
    body = dict(call.body)
    load(body, KNOWN, required=("name",))
    role = _role(call, name)
    if mask := call.query.get("update_mask"):
        fields = [field.strip() for field in mask.split(",")]
        for field in fields:
            if field not in body:
                raise problem(400, f"'{field}' in update_mask is unknown")
        body = {field: body[field] for field in fields}
    role.permissions |= known_pairs(call.state, body.get("actions", []), problem)  # only ever more
    new = body.get("name", role.name)
    if new != role.name and new not in call.state.roles:  # a taken name changes nothing, and nobody is told
        call.state.rename_role(role, new)
    return serializers.role(role)


@router("DELETE", "/roles/*")
def delete(call: Call, name: str) -> Any:
    call.need("can_delete", "Roles")
    call.state.delete_role(_role(call, name).name)
    return NOTHING


@permissions_router("GET", "/permissions", query={"limit": int, "offset": int})
def permissions(call: Call) -> Any:
    """The names of actions only, not what they may be done to."""
    call.need("can_read", "Permissions")
    return page("actions", ACTIONS, call, lambda action: {"name": action})


def _role(call: Call, name: str) -> FakeRole:
    if name not in call.state.roles:
        raise problem(404, f"Role with name '{name}' was not found", title="Role not found")
    return call.state.roles[name]
