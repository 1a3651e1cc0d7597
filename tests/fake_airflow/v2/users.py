"""Users as the newer FAB providers have them."""

from __future__ import annotations

import operator
from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import NOTHING, detail
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeUser
from tests.fake_airflow.v2 import serializers
from tests.fake_airflow.v2.bodies import Field, check
from tests.fake_airflow.v2.paging import fab_page, in_order

router = Router(TOKEN)

TEXTS = ("username", "email", "first_name", "last_name")
_ROLES = Field("list", null=True, nested={"name": None})
CREATED = {
    **{name: Field(required=True, shortest=1) for name in TEXTS},
    "roles": _ROLES,
    "password": Field(required=True),
}
PATCHED = {**{name: Field(null=True, shortest=1) for name in TEXTS}, "roles": _ROLES, "password": Field(null=True)}
ORDERS: Orders = {"id": None, "user_id": None, **{name: operator.attrgetter(name) for name in (*TEXTS, "active")}}


@router("GET", "/users")
def users(call: Call) -> Any:
    call.need("can_read", "Users")
    rows = list(call.state.users.values())  # in the order of their ids
    return fab_page("users", in_order(rows, call, "id", ORDERS, fab=True), call, serializers.user)


@router("POST", "/users")
def create(call: Call) -> Any:
    call.need("can_create", "Users")
    body, state = check(call, CREATED), call.state
    if state.user(body["username"]):
        raise detail(409, f"Username `{body['username']}` already exists. Use PATCH to update.")
    if _has_email(call, body["email"]):
        raise detail(409, f"The email `{body['email']}` is already taken.")
    roles = _known_roles(call, body.get("roles") or [])
    if not roles:
        if state.registration_role is None:
            raise detail(500, "Default registration role is not configured or not found.")
        roles = [state.registration_role]
    user = FakeUser(roles=roles, password=body["password"], **{name: body[name] for name in TEXTS})
    state.users[user.username] = user
    return serializers.user(user)


@router("GET", "/users/*")
def user(call: Call, username: str) -> Any:
    call.need("can_read", "Users")
    return serializers.user(_user(call, username))


@router("PATCH", "/users/*")
def patch(call: Call, username: str) -> Any:
    call.need("can_edit", "Users")
    body = {name: value for name, value in check(call, PATCHED).items() if value is not None}  # null: as if not there
    user = _user(call, username)
    wanted = body.get("username", username)
    if wanted != username and call.state.user(wanted):
        # compared with the name in the URL, found in any case: another spelling of oneself is somebody else
        raise detail(409, f"The username `{wanted}` already exists")
    if body.get("email", user.email) != user.email and _has_email(call, body["email"]):
        raise detail(409, f"The email `{body['email']}` already exists")
    if "update_mask" in call.query:
        mask = {name.strip() for name in call.query["update_mask"].split(",") if name.strip()}
        if unknown := mask - PATCHED.keys():
            raise detail(400, "Unknown update masks: " + ", ".join(repr(name) for name in sorted(unknown)))
        body = {name: value for name, value in body.items() if name in mask}
    if "roles" in body:
        user.roles = _known_roles(call, body["roles"])
    if body.get("username", user.username) != user.username:
        call.state.rename_user(user, body["username"])
    for name in ("email", "first_name", "last_name", "password"):
        setattr(user, name, body.get(name, getattr(user, name)))
    return serializers.user(user)


@router("DELETE", "/users/*")
def delete(call: Call, username: str) -> Any:
    call.need("can_delete", "Users")
    del call.state.users[_user(call, username).username]
    return NOTHING


def _user(call: Call, username: str) -> FakeUser:
    user = call.state.user(username)
    if user is None:
        raise detail(404, f"The User with username `{username}` was not found")
    return user


def _has_email(call: Call, email: str) -> bool:
    return any(user.email == email for user in call.state.users.values())


def _known_roles(call: Call, wanted: list[Any]) -> list[str]:
    """Each once."""
    names = list(dict.fromkeys(item["name"] for item in wanted))
    unknown = [name for name in names if name not in call.state.roles]
    if unknown:
        raise detail(400, "Unknown roles: " + ", ".join(repr(name) for name in unknown))
    return names
