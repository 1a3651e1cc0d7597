"""The fake's answers about signing in, users and roles."""

from __future__ import annotations

from typing import Any

from airflow_bridge.fake import answers
from airflow_bridge.fake.answers import detail, faulty
from airflow_bridge.fake.routing import need, page, route
from airflow_bridge.fake.state import ACTIONS, FakeRole, FakeUser, Request, State


@route("POST", "/auth/token", public=True)
def sign_in(state: State, request: Request) -> tuple[int, Any]:
    username, password = (str(request.body.get(key) or "") for key in ("username", "password"))
    if not username or not password:
        raise detail(400, "Username and password must be provided")
    user = state.user(username) or next((user for user in state.users.values() if user.email == username), None)
    if user is None or not user.active or user.password != password:
        raise detail(401, "Invalid credentials")
    return 201, {"access_token": state.make_token(user)}


@route("GET", "/auth/fab/v1/users")
def users(state: State, by: FakeUser, request: Request) -> tuple[int, Any]:
    need(state, by, "can_read", "Users")
    return 200, page("users", [answers.user(user) for user in state.users.values()], request)


@route("POST", "/auth/fab/v1/users")
def create_user(state: State, by: FakeUser, request: Request) -> tuple[int, Any]:
    need(state, by, "can_create", "Users")
    body = request.body
    for key in ("username", "email", "first_name", "last_name"):
        if not body.get(key):
            raise faulty("string_too_short", key, "String should have at least 1 character", body.get(key))
    if "password" not in body:
        raise faulty("missing", "password", "Field required", body)
    if state.user(body["username"]):
        raise detail(409, f"Username `{body['username']}` already exists. Use PATCH to update.")
    if any(user.email == body["email"] for user in state.users.values()):
        raise detail(409, f"The email `{body['email']}` is already taken.")
    roles = _role_names(state, body.get("roles") or [])
    if not roles:
        raise detail(500, "Default registration role is not configured or not found.")
    person = {key: body[key] for key in ("username", "email", "password", "first_name", "last_name")}
    state.users[body["username"]] = user = FakeUser(roles=roles, **person)
    return 200, answers.user(user)


@route("GET", "/auth/fab/v1/users/*")
def user(state: State, by: FakeUser, request: Request, username: str) -> tuple[int, Any]:
    need(state, by, "can_read", "Users")
    return 200, answers.user(_user(state, username))


@route("PATCH", "/auth/fab/v1/users/*")
def patch_user(state: State, by: FakeUser, request: Request, username: str) -> tuple[int, Any]:
    need(state, by, "can_edit", "Users")
    user = _user(state, username)
    wanted = request.body.get("roles")
    if wanted is not None:  # null: 200, and nothing has changed
        user.roles = _role_names(state, wanted)
    return 200, answers.user(user)


@route("GET", "/auth/fab/v1/roles")
def roles(state: State, by: FakeUser, request: Request) -> tuple[int, Any]:
    need(state, by, "can_read", "Roles")
    rows = sorted(state.roles.values(), key=lambda role: role.name)
    return 200, page("roles", [answers.role(role) for role in rows], request)


@route("POST", "/auth/fab/v1/roles")
def create_role(state: State, by: FakeUser, request: Request) -> tuple[int, Any]:
    need(state, by, "can_create", "Roles")
    name = request.body.get("name")
    if not name:
        raise faulty("string_too_short", "name", "String should have at least 1 character", name)
    if name in state.roles:
        raise detail(409, f"Role with name '{name}' already exists; please update with the PATCH endpoint")
    pairs = {(pair["action"]["name"], pair["resource"]["name"]) for pair in request.body.get("actions", [])}
    for action, resource in sorted(pairs):
        if action not in ACTIONS:
            raise detail(400, f"The specified action: '{action}' was not found")
        if not state.resource_exists(resource):
            raise detail(400, f"The specified resource: '{resource}' was not found")
    state.roles[name] = FakeRole(name, pairs)
    return 200, answers.role(state.roles[name])


@route("GET", "/auth/fab/v1/roles/*")
def role(state: State, by: FakeUser, request: Request, name: str) -> tuple[int, Any]:
    need(state, by, "can_read", "Roles")
    if name not in state.roles:
        raise detail(404, f"Role with name '{name}' does not exist.")
    return 200, answers.role(state.roles[name])


def _user(state: State, username: str) -> FakeUser:
    user = state.user(username)
    if user is None:
        raise detail(404, f"The User with username `{username}` was not found")
    return user


def _role_names(state: State, wanted: list[Any]) -> list[str]:
    names = list(dict.fromkeys(item["name"] for item in wanted))
    unknown = [name for name in names if name not in state.roles]
    if unknown:
        raise detail(400, "Unknown roles: " + ", ".join(f"'{name}'" for name in unknown))
    return names
