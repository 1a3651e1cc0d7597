"""Who comes in, and what the others hear: by token as with Airflow 3, by password each time as with Airflow 2."""

from __future__ import annotations

import base64
import binascii

from tests.fake_airflow.replies import Refusal, Reply, detail, problem
from tests.fake_airflow.routing import Route
from tests.fake_airflow.rows import FakeUser, Request
from tests.fake_airflow.state import State
from tests.fake_airflow.v1.examine import examine_body, examine_query


class TokenDoor:
    def examine(self, route: Route, request: Request, state: State) -> None:
        """Later, by each function: Airflow 3 asks first who it is."""

    def enter(self, state: State, request: Request) -> FakeUser:
        token = bearer(request)
        if not token:
            raise detail(401, "Not authenticated")
        user, expired = state.holder(token)
        if user is None:
            raise detail(403, "Invalid JWT token")
        if expired:
            raise detail(401, "Token Expired")
        return user

    def forbid(self, state: State) -> Refusal:
        return detail(403, "Forbidden")


class PasswordDoor:
    def examine(self, route: Route, request: Request, state: State) -> None:
        """Before anything else: Airflow 2 tells strangers, too, what is wrong with their request."""
        examine_query(route, request)
        examine_body(route, request)

    def enter(self, state: State, request: Request) -> FakeUser:
        username, password = basic(request)
        if user := state.sign_in(username, password):
            return user
        if state.public_role:
            return FakeUser("anonymous", "", "", [state.public_role])
        refused = problem(401).reply
        raise Refusal(Reply(401, refused.body, refused.kind, {"WWW-Authenticate": "Basic"}))

    def forbid(self, state: State) -> Refusal:
        return problem(403)


TOKEN = TokenDoor()
PASSWORD = PasswordDoor()


def bearer(request: Request) -> str:
    kind, _, token = request.authorization.partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def basic(request: Request) -> tuple[str, str]:
    """User name and password, empty where there are none."""
    kind, _, encoded = request.authorization.partition(" ")
    if kind.lower() != "basic":
        return "", ""
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return username, password


def account(state: State, request: Request) -> str:
    """The user name that the credentials belong to, whether they are right or not; empty for none."""
    user, _ = state.holder(bearer(request))
    if user is None:
        user = state.user(basic(request)[0])
    return user.username if user else ""
