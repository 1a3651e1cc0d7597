"""Roles and permissions as the newer FAB providers have them."""

from __future__ import annotations

import operator
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import NULL, TEXT, Refusal, Reply, detail
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeRole
from tests.fake_airflow.rules import known_pairs
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check
from tests.fake_airflow.v2.paging import fab_page, in_order

router = Router(TOKEN)
permissions_router = Router(TOKEN)

_PAIR = {"action": {"name": None}, "resource": {"name": None}}
ORDERS: Orders = {"name": operator.attrgetter("name"), "role_id": None}
BODY = {name: Field("list", nested=_PAIR) for name in ("actions", "permissions")}
BODY["name"] = Field(required=True, shortest=1)


def _body(call: Call) -> dict[str, Any]:
    """The permissions go by either name."""
    body = dict(check(call, BODY))
    if "permissions" in body:
        body.setdefault("actions", body.pop("permissions"))
    return body


@router("GET", "/roles")
def roles(call: Call) -> Any:
    call.need("can_read", "Roles")
    rows = in_order(list(call.state.roles.values()), call, "name", ORDERS, fab=True)
    return fab_page("roles", rows, call, serializers.role)


@router("POST", "/roles")
def create(call: Call) -> Any:
    call.need("can_create", "Roles")
    body = _body(call)
    name = body["name"]
    if name in call.state.roles:
        raise detail(409, f"Role with name '{name}' already exists; please update with the PATCH endpoint")
    call.state.roles[name] = FakeRole(name, known_pairs(call.state, body.get("actions", []), detail))
    return serializers.role(call.state.roles[name])


@router("GET", "/roles/*")
def role(call: Call, name: str) -> Any:
    call.need("can_read", "Roles")
    return serializers.role(_role(call, name))


@router("PATCH", "/roles/*")
def patch(call: Call, name: str) -> Any:
    if not call.state.release.role_edits:
        raise detail(403, "Forbidden")  # it asks for a permission that nobody can have
    call.need("can_edit", "Roles")
    body = _body(call)
    role = _role(call, name)
    if mask := call.query.get("update_mask"):
        fields = [field.strip() for field in mask.split(",") if field.strip()]
        for field in fields:
            if field not in ("name", "actions", "permissions"):
                raise detail(400, f"'{field}' in update_mask is unknown")
        body = {field: body[field] for field in fields if field in body}
    if "actions" in body:
        role.permissions = known_pairs(call.state, body["actions"], detail)
    answer = serializers.role(role)
    new = body.get("name", role.name)
    if new != role.name and new not in call.state.roles:
        call.state.rename_role(role, new)
    return {**answer, "name": new}  # also where the name was taken, and nothing has happened


@router("DELETE", "/roles/*")
def delete(call: Call, name: str) -> Any:
    call.need("can_delete", "Roles")
    role = _role(call, name)
    if not call.state.release.role_edits:
        raise Refusal(Reply(500, "Internal Server Error", TEXT))
    call.state.delete_role(role.name)
    return NULL


@permissions_router("GET", "/permissions")
def permissions(call: Call) -> Any:
    call.need("can_read", "Roles")
    return fab_page("actions", call.state.pairs(), call, serializers.pair)


def _role(call: Call, name: str) -> FakeRole:
    if name not in call.state.roles:
        raise detail(404, f"Role with name '{name}' does not exist.")
    return call.state.roles[name]
