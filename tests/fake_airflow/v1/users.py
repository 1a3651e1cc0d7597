"""Users as Airflow 2 and old FAB providers have them."""

from __future__ import annotations

import operator
from typing import Any

from tests.fake_airflow.doors import PASSWORD
from tests.fake_airflow.replies import NOTHING, crash, problem
from tests.fake_airflow.routing import Call, Orders, Router
from tests.fake_airflow.rows import FakeUser
from tests.fake_airflow.v1 import serializers
from tests.fake_airflow.v1.examine import load
from tests.fake_airflow.v1.paging import PAGED, in_order, page

router = Router(PASSWORD)

TEXTS = ("username", "email", "first_name", "last_name")
KNOWN: dict[str, int | None] = {**dict.fromkeys(TEXTS), "roles": None, "password": None}
REQUIRED = ("first_name", "last_name", "username", "email")
_ROLE = {"type": "object", "properties": {"name": {"type": "string"}}}
BODY: dict[str, dict[str, Any]] = {
    **{name: {"type": "string"} for name in ("first_name", "last_name", "password")},
    **{name: {"type": "string", "minLength": 1} for name in ("username", "email")},
    "roles": {"type": "array", "items": _ROLE},
    **{name: {"readOnly": True} for name in ("active", "last_login", "login_count", "fail_login_count")},
    **{name: {"readOnly": True} for name in ("created_on", "changed_on")},
}

ORDERS: Orders = {
    "id": None,
    **{name: operator.attrgetter(name) for name in ("first_name", "last_name", "email")},
}


@router("GET", "/users", query=PAGED)
def users(call: Call) -> Any:
    call.need("can_read", "Users")
    if call.query.get("order_by") in ("user_name", "is_active", "role"):
        raise crash()  # allowed, but there is no such column
    rows = in_order(list(call.state.users.values()), call, "id", ORDERS, both_ways=False)
    return page("users", rows, call, serializers.user)


@router("POST", "/users", body=BODY)
def create(call: Call) -> Any:
    call.need("can_create", "Users")
    body, state = call.body, call.state
    load(body, KNOWN, required=REQUIRED)
    if state.user(body["username"]):
        raise problem(409, f"Username `{body['username']}` already exists. Use PATCH to update.")
    if _has_email(call, body["email"]):
        raise problem(409, f"The email `{body['email']}` is already taken.")
    names = _known_roles(call, body.get("roles", []))
    if not names and state.registration_role is None:
        raise problem(500, f"Failed to add user `{body['username']}`.")
    names = names or [str(state.registration_role)]
    person = {name: body[name] for name in TEXTS}
    state.users[body["username"]] = user = FakeUser(
        roles=list(dict.fromkeys(names)), password=body.get("password", ""), **person
    )
    return serializers.user(user)


@router("GET", "/users/*")
def user(call: Call, username: str) -> Any:
    call.need("can_read", "Users")
    return serializers.user(_user(call, username))


@router("PATCH", "/users/*", query={"update_mask": str}, body=BODY)
def patch(call: Call, username: str) -> Any:
    call.need("can_edit", "Users")
    body = dict(call.body)
    load(body, KNOWN, required=REQUIRED)
    user = _user(call, username)
    if body["username"] != username and call.state.user(body["username"]):
        # compared with the name in the URL, found in any case: another spelling of oneself is somebody else
        raise problem(409, f"The username `{body['username']}` already exists")
    if body["email"] != user.email and _has_email(call, body["email"]):
        raise problem(409, f"The email `{body['email']}` already exists")
    if "update_mask" in call.query:
        mask = [name.strip() for name in call.query["update_mask"].split(",")]
        if unknown := [name for name in mask if name not in body]:
            raise problem(400, "Unknown update masks: " + ", ".join(repr(name) for name in unknown))
        body = {name: body[name] for name in mask}
    roles = _known_roles(call, body["roles"]) if "roles" in body else user.roles
    if len(roles) != len(set(roles)) and not call.state.release.since(3, 1):
        # the database refuses the second row of the pair, nothing at all is written, and nobody is told
        return serializers.user(user)
    user.roles = list(dict.fromkeys(roles))
    if body.get("username", user.username) != user.username:
        call.state.rename_user(user, body["username"])
    for name in ("email", "first_name", "last_name", "password"):
        setattr(user, name, body.get(name, getattr(user, name)))
    return serializers.user(user)


@router("DELETE", "/users/*")
def delete(call: Call, username: str) -> Any:
    call.need("can_delete", "Users")
    user = _user(call, username)
    noted = any(run.noted_by == user.username for run in call.state.runs)
    if noted and call.state.release.api == "v1":
        raise crash()  # the run's note refers to its author; Airflow 3 just names them
    del call.state.users[user.username]
    return NOTHING


def _user(call: Call, username: str) -> FakeUser:
    user = call.state.user(username)
    if user is None:
        raise problem(404, f"The User with username `{username}` was not found", title="User not found")
    return user


def _has_email(call: Call, email: str) -> bool:
    return any(user.email == email for user in call.state.users.values())


def _known_roles(call: Call, wanted: list[Any]) -> list[str]:
    """As often as they were named."""
    faults = {place: {"name": ["Missing data for required field."]} for place, item in enumerate(wanted) if not item}
    if faults:
        raise problem(400, str({"roles": faults}))
    names = [item["name"] for item in wanted]
    unknown = [name for name in names if name not in call.state.roles]
    if unknown:
        raise problem(400, "Unknown roles: " + ", ".join(repr(name) for name in unknown))
    return names
