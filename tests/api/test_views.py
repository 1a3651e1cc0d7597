"""Every call of the API, whoever makes it: tokens, scopes, methods, sizes, limits, and problems for every refusal."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts import tokens
from accounts.models import Token, User
from portal.api.api import api
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests import factories
from tests.api.conftest import Program, refused
from tests.unit.accounts.test_limits import read_only

pytestmark = pytest.mark.django_db

# every call with the scopes that open it; what is not here fails the test below
CALLS: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/me"): (),
    ("GET", "/deployments"): ("read",),
    ("GET", "/entitlements"): ("read",),
    ("POST", "/requests"): ("request",),
    ("GET", "/requests"): ("read",),
    ("GET", "/requests/{id}"): ("read",),
    ("POST", "/requests/{id}/approve"): ("decide",),
    ("POST", "/requests/{id}/deny"): ("decide",),
    ("POST", "/requests/{id}/return"): ("decide",),
    ("POST", "/requests/{id}/resubmit"): ("request",),
    ("POST", "/requests/{id}/comments"): ("request", "decide"),
    ("POST", "/requests/{id}/withdraw"): ("request",),
    ("POST", "/requests/{id}/cancel"): ("request", "decide"),
    ("GET", "/permits"): ("read",),
    ("POST", "/permits/{id}/revoke"): ("decide", "request"),
    ("GET", "/grants"): ("read", "audit"),
    ("GET", "/grants/{id}"): ("read", "audit"),
    ("POST", "/grants/{id}/revoke"): ("decide", "request"),
    ("GET", "/dags"): ("read",),
    ("GET", "/dags/{deployment}/{dag_id}"): ("read",),
    ("POST", "/dags/{deployment}/{dag_id}/runs"): ("operate",),
    ("POST", "/dags/{deployment}/{dag_id}/pause"): ("operate",),
    ("POST", "/dags/{deployment}/{dag_id}/unpause"): ("operate",),
    ("GET", "/variables"): ("read",),
    ("GET", "/variables/{deployment}/{key}"): ("read",),
    ("POST", "/variables/{deployment}/{key}"): ("operate",),
    ("GET", "/runs"): ("operate",),
    ("GET", "/runs/{id}"): ("operate",),
    ("GET", "/runs/{id}/tasks"): ("operate",),
    ("GET", "/runs/{id}/tasks/{task_id}/log"): ("operate",),
    ("POST", "/runs/{id}/retry"): ("operate",),
    ("POST", "/runs/{id}/cancel"): ("operate",),
    ("GET", "/operations/{id}"): ("read",),
    ("GET", "/audit"): ("audit",),
    ("GET", "/audit/export"): ("audit",),
    ("GET", "/audit/verify"): ("audit",),
}
EVERY = pytest.mark.parametrize("call", CALLS, ids=" ".join)


def filled(path: str) -> str:
    path = path.replace("{id}", "1").replace("{task_id}", "publish")
    return path.replace("{deployment}", "demo").replace("{dag_id}", "sales_report").replace("{key}", "report_mode")


def make(program: Program, call: tuple[str, str]):
    method, path = call
    path = (
        path.replace("{id}", "1")
        .replace("{deployment}", "demo")
        .replace("{dag_id}", "sales_report")
        .replace("{key}", "report_mode")
        .replace("{task_id}", "publish")
    )
    return program.get(path) if method == "GET" else program.post(path)


def described() -> dict[tuple[str, str], dict]:
    paths = api.get_openapi_schema(path_prefix="")["paths"]
    return {(method.upper(), path): call for path, calls in paths.items() for method, call in calls.items()}


def test_every_call_is_in_the_table_with_its_scopes() -> None:
    scopes = {
        call: tuple(scope for choice in told["security"] for scope in choice["Bearer"])
        for call, told in described().items()
    }
    assert scopes == CALLS


@EVERY
def test_no_token(as_, call) -> None:
    problem = make(as_(""), call)
    refused(problem, 401, "no_token")
    assert problem["WWW-Authenticate"].startswith("Bearer")


@EVERY
def test_a_session_is_no_token(client_as, call) -> None:
    """Otherwise any page a signed-in person visits could make these calls: they ask for no CSRF token."""
    method, path = call
    browser = client_as("admin", enforce_csrf_checks=True)
    path = (
        path.replace("{id}", "1")
        .replace("{deployment}", "demo")
        .replace("{dag_id}", "sales_report")
        .replace("{key}", "report_mode")
        .replace("{task_id}", "publish")
    )
    refused(browser.generic(method, f"/api/v1{path}", "{}"), 401, "no_token")


@EVERY
def test_every_other_scope_is_refused_and_recorded(as_, cast: dict[str, User], call) -> None:
    # a person who may use every scope: each call must look at the token, not at the person
    cast["lead"].groups.add(*factories.person("auditor").groups.all())
    others = set(tokens.SCOPES) - set(CALLS[call])
    if not CALLS[call]:
        assert make(as_("lead", *others), call).status_code == 200
        return
    program = as_("lead", *others)
    refused(make(program, call), 403, "scope")
    event = AuditEvent.objects.get(verb=Verb.PAGE_REFUSED)
    assert (event.actor, event.outcome, event.source) == ("lead", "refused", "127.0.0.1")
    assert event.target.startswith(f"{call[0]} /api/v1/")
    assert event.token.startswith("gh_") and event.token.endswith(" lead's program")


@EVERY
def test_a_scope_ends_with_the_role_that_carries_it(as_, cast: dict[str, User], call) -> None:
    program = as_("lead")
    cast["lead"].is_active = False
    cast["lead"].save(update_fields=["is_active"])
    refused(make(program, call), 401, "invalid_token")


def test_who_is_no_approver_any_more_decides_no_more(as_, cast: dict[str, User]) -> None:
    program = as_("lead")
    cast["lead"].groups.clear()
    assert "decide" not in program.get("/me").json()["scopes"]
    refused(program.post("/requests/REQ-1/approve"), 403, "scope")


@pytest.mark.parametrize("header", ["gh_nonsense", "Bearer", "Bearer ", "Bearer gh_x y", "Basic abc", "bearer \u00e9"])
def test_what_is_no_token(catalogue, header: str) -> None:
    response = Client().get("/api/v1/me", headers={"Authorization": header})
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"


def test_revoked_and_expired_tokens(as_, employee: User) -> None:
    program = as_("employee")
    token = Token.objects.get(user=employee)
    Token.objects.update(created_at=timezone.now() - timedelta(days=2), expires_at=timezone.now())
    refused(program.get("/me"), 401, "invalid_token")
    Token.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert program.get("/me").status_code == 200
    tokens.revoke(by=employee, token_id=token.pk)
    refused(program.get("/me"), 401, "invalid_token")


def test_the_scheme_may_be_written_in_any_case(as_) -> None:
    token = as_("employee").token
    assert Client().get("/api/v1/me", headers={"Authorization": f"bearer {token}"}).status_code == 200


# --- where nothing is ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", ["/", "/nothing", "/requests/", "/requests/REQ-1/", "/me/x", "/docs", "/%00"])
def test_what_is_no_call_is_a_problem(as_, path: str) -> None:
    for program in (as_(""), as_("employee")):
        refused(program.get(path), 404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods(as_, method: str) -> None:
    headers = {"Authorization": f"Bearer {as_('employee').token}"}
    response = Client().generic(method, "/api/v1/requests", "{}", headers=headers)
    assert response.status_code == 405
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}
    refused(response, 405, "method_not_allowed")


def test_head_of_a_call_that_only_acts_is_refused(as_) -> None:
    response = as_("employee").head("/requests/REQ-1/withdraw")
    assert (response.status_code, response["Allow"]) == (405, "POST")


def test_head_is_answered_like_get_without_a_body(as_) -> None:
    answer = as_("employee").head("/requests")
    assert (answer.status_code, answer.content, answer["Content-Type"]) == (
        200,
        b"",
        as_("employee").get("/requests")["Content-Type"],
    )


# --- what is sent ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("body", ["{", "[1, ", "nonsense", "'a'", b"\xff\xfe", "{}{}", "\ufeff{}"])
def test_what_is_no_json(as_, body) -> None:
    refused(as_("employee").post("/requests", body), 400, "malformed")


@pytest.mark.parametrize(
    "body, field",
    [
        ("[]", "body"),
        ("1", "body"),
        ('"text"', "body"),
        ('{"reason": NaN}', "body"),
        ('{"reason": ' + "9" * 5000 + "}", "body"),
        ('{"reason": -Infinity}', "body"),
        ('{"reason": 1e400}', "body"),
        ('{"reason": "a", "reason": "b"}', "reason"),
        ('{"reason": "\\ud800"}', "reason"),
        ('{"reason": "a\\u0000"}', "reason"),
        ('{"\\ud800": 1}', "?"),
        ('{"reason": ' + "[" * 50 + "]" * 50 + "}", "reason"),
        ("[" * 60_000, "body"),
    ],
)
def test_json_that_means_nothing_we_could_keep(as_, body: str, field: str) -> None:
    refused(as_("employee").post("/requests", body), 422, "invalid", field)


def test_bodies_too_large(as_) -> None:
    for size in (256 * 1024, 3_000_000):  # beyond Django's own limit, too
        refused(as_("employee").post("/requests", json.dumps({"reason": "x" * size})), 413, "too_large")


def test_parameters_nobody_reads_are_refused(as_) -> None:
    refused(as_("employee").get("/requests", statsu="pending"), 422, "invalid", "statsu")
    refused(as_("auditor").get("/audit/export", actr="lead", x="y"), 422, "invalid", "actr", "x")
    refused(as_("employee").get("/requests", q="a\x00"), 422, "invalid", "q")


def test_what_nobody_expected_has_a_reference_and_no_details(as_, monkeypatch, caplog) -> None:
    def fall_over(user: User) -> None:
        raise ZeroDivisionError("secret of the inside")

    program = as_("employee")
    monkeypatch.setattr("portal.api.endpoints.me.people.groups_of", fall_over)
    problem = refused(program.get("/me"), 500, "internal_error")
    reference = problem["detail"].rstrip(".").split()[-1]
    assert "secret" not in json.dumps(problem)
    assert f"reference {reference}" in caplog.text and "secret of the inside" in caplog.text


# --- how often -------------------------------------------------------------------------------------------------------
def test_each_token_may_call_so_often(as_, settings, still_clock) -> None:
    settings.API_CALLS_PER_MINUTE = 3
    program, other = as_("employee"), as_("employee")
    answers = [program.get("/me") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [answer["RateLimit"] for answer in answers] == [f'"token";r={left};t=60' for left in (2, 1, 0)]
    assert answers[0]["RateLimit-Policy"] == '"token";q=3;w=60'
    too_many = program.get("/me")
    refused(too_many, 429, "too_many_calls")
    assert (too_many["Retry-After"], too_many["RateLimit"]) == ("60", '"token";r=0;t=60')
    assert other.get("/me").status_code == 200, "each token is counted by itself"
    still_clock.shift(61)
    assert program.get("/me").status_code == 200


def test_reading_by_token_needs_no_write(as_) -> None:
    program = as_("employee")
    with read_only():
        assert program.get("/me").status_code == 200
        assert program.get("/requests").status_code == 200


def test_refused_calls_count_too(as_, settings, still_clock) -> None:
    settings.API_CALLS_PER_MINUTE = 1
    program = as_("employee", "read")
    refused(program.get("/audit"), 403, "scope")
    refused(program.get("/audit"), 429, "too_many_calls")


# --- the answer as such ----------------------------------------------------------------------------------------------
def test_headers(as_) -> None:
    response = as_("employee").get("/me")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert "Content-Security-Policy" in response
    assert not response.cookies
    assert "Access-Control-Allow-Origin" not in response


def test_openapi_needs_no_token_and_tells_nothing_of_anybody(catalogue) -> None:
    response = Client().get("/api/v1/openapi.json")
    assert response.status_code == 200
    document = response.json()
    assert document["info"]["title"] == "Gatehouse"
    for calls in document["paths"].values():
        for method, call in calls.items():
            assert call["responses"]["default"]["content"].keys() == {"application/problem+json"}
            assert ("Idempotency-Key" in [p["name"] for p in call["parameters"]]) == (method == "post")


@pytest.mark.parametrize("call", ["/audit/export", "/audit/verify"])
def test_head_of_a_call_that_writes_an_event_is_refused(as_, call) -> None:
    auditor = as_("auditor")
    before = AuditEvent.objects.count()
    assert auditor.head(call).status_code == 405
    assert AuditEvent.objects.count() == before
