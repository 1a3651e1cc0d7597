"""A database that fails is told in words, with 503 and when to try again; what only reads needs no write."""

from __future__ import annotations

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from accounts import tokens
from tests.factories import PASSWORD, request_at_status
from tests.views.pages import Page

LOCKED, FULL, AWAY = "database is locked", "database or disk is full", "connection refused"
WRITES = ("INSERT", "UPDATE", "DELETE")


def failing(said, *, only=("",)):
    """From the driver on, statements that begin with one of `only` fail."""

    def fail(execute, sql, params, many, context):
        if sql.lstrip().upper().startswith(only):
            raise said if isinstance(said, Exception) else OperationalError(said)
        return execute(sql, params, many, context)

    return connection.execute_wrapper(fail)


@pytest.fixture
def token(catalogue, cast):
    return tokens.create(by=cast["employee"], name="program", scopes=["read", "request"], days=1, password=PASSWORD)[1]


@pytest.fixture
def call(token):
    client = Client(headers={"Authorization": f"Bearer {token}"}, raise_request_exception=False)
    return client.get, lambda path, body: client.post(path, body, content_type="application/json")


@pytest.mark.parametrize(
    ("said", "words"), [(LOCKED, "is busy"), (FULL, "disk of Gatehouse's database is full"), (AWAY, "does not answer")]
)
def test_a_page(client_as, catalogue, said, words):
    client = client_as("employee", raise_request_exception=False)
    with failing(said):
        response = client.get("/access")
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert words in Page(response).text
    assert said not in Page(response).text


@pytest.mark.parametrize(
    ("path", "link"),
    [("/audit", "/audit?q=a&verb=request.*"), ("//evil.example/audit", "/%2Fevil.example/audit?q=a&verb=request.*")],
)
def test_try_again_leads_to_the_same_address_of_this_server(client_as, catalogue, path, link):
    client = client_as("auditor", raise_request_exception=False)
    with failing(LOCKED):
        response = client.get("/audit?q=a&verb=request.*", PATH_INFO=path)
    assert response.status_code == 503
    assert link in Page(response).links


def test_a_part_of_a_page(client_as, catalogue):
    client = client_as("employee", raise_request_exception=False)
    with failing(LOCKED):
        response = client.get("/access", headers={"HX-Request": "true"})
    assert (response.status_code, response["HX-Retarget"], response["Retry-After"]) == (503, "#messages", "10")


def test_a_form_that_cannot_be_written(client_as, catalogue):
    client = client_as("employee", raise_request_exception=False)
    asked = request_at_status("pending")
    with failing(FULL, only=WRITES):
        response = client.post(f"/requests/{asked.ref}/withdraw")
    assert response.status_code == 503
    assert "Nothing was changed" in Page(response).text


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/requests", "/api/v1/grants", "/api/v1/entitlements"])
def test_reading_with_a_token_needs_no_write(call, path):
    get, _ = call
    with failing(FULL, only=(*WRITES, "SAVEPOINT")):  # as a transaction that writes fails at its beginning
        assert get(path).status_code == 200


def test_a_call_that_writes(call):
    _, post = call
    body = {"entitlement": "demo/role/User", "duration": "PT8H", "reason": "month-end close"}
    with failing(LOCKED, only=WRITES):
        response = post("/api/v1/requests", body)
    assert (response.status_code, response["Retry-After"]) == (503, "10")
    assert response.json()["reason"] == "database_unavailable"
    assert "busy" in response.json()["detail"]


@pytest.mark.parametrize("error", [OperationalError(AWAY), InterfaceError("connection already closed")])
def test_whatever_watches_the_portal(client_as, catalogue, error):
    with failing(error):
        response = client_as("").get("/health/ready")
    assert (response.status_code, response.json()["database"]) == (503, "does not answer")


def test_what_is_not_the_database_s_fault_stays_a_mishap(client_as, catalogue, monkeypatch):
    client = client_as("employee", raise_request_exception=False)
    monkeypatch.setattr("portal.web.access.views.render", lambda *args, **more: 1 / 0)
    assert client.get("/access").status_code == 500
