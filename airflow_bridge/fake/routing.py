"""Which function of the fake answers which request; it gets the state, who asks, the request, the parts of the path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from airflow_bridge.fake import answers
from airflow_bridge.fake.answers import Refusal, detail
from airflow_bridge.fake.state import FakeUser, Request, State

Handler = Callable[..., tuple[int, Any]]
_routes: list[tuple[str, re.Pattern[str], Handler, bool]] = []
PAGE = 100  # rows at most, whatever `limit` says


def route(method: str, path: str, *, public: bool = False) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        _routes.append((method, re.compile(path.replace("*", "([^/]+)")), handler, public))
        return handler

    return register


def answer(state: State, request: Request, user: FakeUser | None, expired: bool, token: str) -> tuple[int, Any]:
    """Status and body. user, expired: what `State.holder` says of the token that came along."""
    known = False
    for method, pattern, handler, public in _routes:
        # matched before decoding: a name with an encoded slash is one part here, but Airflow never finds it
        found = pattern.fullmatch(request.path)
        if not found:
            continue
        known = True
        if method != request.method:
            continue
        try:
            if public:
                return handler(state, request)
            if not token:
                raise detail(401, "Not authenticated")
            if user is None:
                raise detail(403, "Invalid JWT token")
            if expired:
                raise detail(401, "Token Expired")
            parts = [unquote(part) for part in found.groups()]
            if any("/" in part for part in parts):
                break
            return handler(state, user, request, *parts)
        except Refusal as refusal:
            return refusal.status, refusal.body
    else:
        if known:
            return 405, {"detail": "Method Not Allowed"}
    return 404, answers.PAGE_NOT_FOUND if request.path.startswith("/auth") else {"error": "API route not found"}


def need(state: State, by: FakeUser, action: str, resource: str) -> None:
    if not state.may(by, action, resource):
        raise detail(403, "Forbidden")


def page(key: str, rows: list[Any], request: Request) -> dict[str, Any]:
    limit = min(int(request.query.get("limit", PAGE)), PAGE)
    offset = int(request.query.get("offset", 0))
    return {key: rows[offset : offset + limit], "total_entries": len(rows)}
