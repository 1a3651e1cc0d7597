"""Version, health, how to sign in, and what Airflow 3 says where there is nothing."""

from __future__ import annotations

from typing import Any

from tests.fake_airflow.doors import TOKEN
from tests.fake_airflow.replies import HTML, Reply, detail, faulty
from tests.fake_airflow.routing import Call, Router
from tests.fake_airflow.rows import Request
from tests.fake_airflow.state import State
from tests.fake_airflow.v1 import server as v1_server
from tests.fake_airflow.v2.bodies import Field, check, refuse
from tests.fake_airflow.v2.paging import page

router = Router(TOKEN)
auth_router = Router(TOKEN)

PAGE_NOT_FOUND = "<!DOCTYPE html>\n<html><head><title>Airflow 404</title></head><body>Airflow 404</body></html>"
SIGN_IN_PAGE = "<!DOCTYPE html>\n<html><head><title>Airflow</title></head><body><div id=root></div></body></html>"
GONE = "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."


@router("GET", "/version", public=True)
def version(call: Call) -> Any:
    return {"version": call.state.release.version, "git_version": None}


@router("GET", "/monitor/health", public=True)
def health(call: Call) -> Any:
    parts = call.state.health
    heartbeat = call.state.heartbeat.isoformat()
    return {
        "metadatabase": {"status": parts["metadatabase"]},
        **{
            part: {"status": parts[part], f"latest_{part}_heartbeat": heartbeat if parts[part] else None}
            for part in ("scheduler", "triggerer", "dag_processor")
        },
    }


@router("GET", "/providers")
def providers(call: Call) -> Any:
    call.need("can_read", "Providers")
    rows = [("apache-airflow-providers-standard", "Airflow Standard Provider", "1.6.0")]
    if fab := call.state.release.fab:
        rows.insert(0, ("apache-airflow-providers-fab", "Flask App Builder", fab))
    newest = call.state.release.since(3, 1)
    return page("providers", rows, call, lambda row: _provider(*row, documented=newest))


def _provider(package_name: str, description: str, version: str, *, documented: bool) -> dict[str, Any]:
    guide = {"documentation_url": f"https://airflow.apache.org/docs/{package_name}/{version}"} if documented else {}
    return {"package_name": package_name, "description": description, "version": version, **guide}


@auth_router("POST", "/token", public=True)
def token(call: Call) -> Any:
    return _sign_in(call, call.state.token_life)


@auth_router("POST", "/token/cli", public=True)
def cli_token(call: Call) -> Any:
    return _sign_in(call, call.state.cli_token_life)


def _sign_in(call: Call, life: float) -> Reply:
    body = call.body
    if not isinstance(body, dict):
        words = "Input should be a valid dictionary or object to extract fields from"
        raise refuse([faulty("model_attributes_type", ("body",), words, body)])
    if not call.state.release.since(3, 1):
        check(call, {name: Field(required=True) for name in ("username", "password")})
    missing = [name for name in ("username", "password") if name not in body]
    if missing and call.state.release.fab is None:
        raise detail(422, _in_one_text(missing, body))
    username, password = (body.get(name) or "" for name in ("username", "password"))
    if not username or not password:
        raise detail(400, "Username and password must be provided")
    user = call.state.sign_in(str(username), str(password))
    if user is None:
        raise detail(401, "Invalid credentials")
    return Reply(201, {"access_token": call.state.make_token(user, life)})


def _in_one_text(missing: list[str], body: dict[str, Any]) -> str:
    """Not as a list: the simple auth manager gives the fault as it would be printed."""
    count = f"{len(missing)} validation error{'s' if len(missing) > 1 else ''} for LoginBody"
    guide = "    For further information visit https://errors.pydantic.dev/2.14/v/missing"
    given = f"[type=missing, input_value={body!r}, input_type=dict]"
    return "\n".join([count, *(f"{name}\n  Field required {given}\n{guide}" for name in missing)])


@auth_router("GET", "/token", public=True)
def token_for_anybody(call: Call) -> Any:
    if call.state.release.fab is not None:
        return otherwise(call.state, call.request, set())
    setting = "``[core] simple_auth_manager_all_admins``"
    raise detail(403, f"This method is only allowed if {setting} is True")


PATHS = {
    "roles": ("/fab/v1/roles", "/fab/v1/roles/{name}"),
    "permissions": ("/fab/v1/permissions",),
    "users": ("/fab/v1/users", "/fab/v1/users/{username}"),
}


@auth_router("GET", "/openapi.json", public=True)
def openapi(call: Call) -> Any:
    release = call.state.release
    if release.fab is None:
        title, paths = "Simple auth manager sub application", ["/token", "/token/login", "/token/cli", "/login"]
    else:
        title, paths = "FAB auth manager API", ["/token", "/token/cli"]
        if release.roles == "token":
            paths.append("/logout")
        takes = {"roles": release.roles, "permissions": release.permissions, "users": release.users}
        paths += [path for group, own in PATHS.items() if takes[group] == "token" for path in own]
    about = {"title": title, "version": "0.1.0"}
    return {"openapi": "3.1.0", "info": about, "paths": {path: {} for path in paths}, "components": {}}


def otherwise(state: State, request: Request, methods: set[str]) -> Reply:
    """Behind every path stands a page for GET, so with any other method no path is unknown; but FAB knows its own."""
    fab, path = state.release.fab is not None, request.path
    if path.startswith("/auth/fab/v1/") and "basic" in (state.release.users, state.release.roles):
        return v1_server.otherwise(state, request, methods)
    if path.startswith("/auth/") and fab:
        return Reply(404, PAGE_NOT_FOUND, HTML)
    if request.method != "GET" or methods:
        return Reply(405, {"detail": "Method Not Allowed"}, headers={"Allow": ", ".join(sorted(methods or {"GET"}))})
    if path.startswith("/auth/"):
        return Reply(200, SIGN_IN_PAGE, HTML)  # the log-in page answers for everything
    return Reply(404, {"error": GONE if path.startswith("/api/v1/") else "API route not found"})
