"""Programs of the cast: `as_("lead").post("/requests/REQ-1/approve", {...})`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.http import HttpResponse
from django.test import Client

from accounts import tokens
from tests import factories


@dataclass
class Program:
    """A caller with a token; answers are Django's responses."""

    token: str | None

    def get(self, path: str, **params: object) -> HttpResponse:
        return Client().get(f"/api/v1{path}", params, headers=self._headers({}))

    def head(self, path: str) -> HttpResponse:
        return Client().head(f"/api/v1{path}", headers=self._headers({}))

    def post(self, path: str, body: object = None, **headers: str) -> HttpResponse:
        text = "" if body is None else body if isinstance(body, str | bytes) else json.dumps(body)
        url = f"/api/v1{path}"
        return Client().post(url, text, content_type="application/json", headers=self._headers(headers))

    def _headers(self, headers: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return named | ({"Authorization": f"Bearer {self.token}"} if self.token else {})


@pytest.fixture
def as_(catalogue: object) -> Callable[..., Program]:
    """as_("lead") has every scope lead may use, as_("lead", "read") only that one, as_("") no token."""

    def program(name: str, *scopes: str) -> Program:
        if not name:
            return Program(None)
        user = factories.person(name)
        wanted = scopes or tokens.allowed_scopes(user)
        return Program(
            tokens.create(by=user, name=f"{name}'s program", scopes=wanted, days=1, password=factories.PASSWORD)[1]
        )

    return program


def refused(response: HttpResponse, status: int, reason: str, *fields: str) -> dict:
    """The problem in an answer, after checking that it is one: its status, its reason and its fields."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert (problem["status"], problem["reason"]) == (status, reason), problem
    assert problem["title"] and problem["detail"] and problem["type"].startswith("urn:gatehouse:problem:")
    assert set(problem.get("fields", {})) == set(fields), problem
    return problem


@pytest.fixture
def still_clock(catalogue: object) -> Iterator[time_machine.Coordinates]:
    """The clock stands still at a full minute; `shift` moves it."""
    now = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    with time_machine.travel(now, tick=False) as clock:
        yield clock


@pytest.fixture
def broken_trail_after(request: pytest.FixtureRequest) -> Callable[[], None]:
    """Call it, and from then on the database refuses every audit event."""
    return lambda: request.getfixturevalue("broken_trail")
