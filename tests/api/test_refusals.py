"""Every refused attempt to change something is an event, also where no action has heard of it."""

from __future__ import annotations

import pytest

from portal.audit.models import AuditEvent
from portal.audit.refused_calls import about
from portal.audit.verbs import Verb
from tests.factories import grant_at_status, request_at_status

pytestmark = pytest.mark.django_db


def newest() -> tuple[str, str, str]:
    event = AuditEvent.objects.order_by("-seq")[0]
    return event.verb, event.actor, event.target


def test_acting_on_what_one_may_not_see_is_recorded(as_, client_as) -> None:
    asked = request_at_status("pending", by="lead", entitlement="demo/role/User")
    held = grant_at_status("applying", by="lead", entitlement="demo/role/Viewer")
    for name, path, body in (
        ("security", f"/requests/{asked.ref}/approve", {}),
        ("employee", f"/requests/{asked.pk}/withdraw", {}),
        ("employee", f"/grants/{held.ref}/revoke", {"reason": "x"}),
        ("security", "/dags/demo/sales_report/runs", {"conf": {}}),
    ):
        program = as_(name)
        answer = program.post(path, body)
        assert answer.status_code == 404
        assert newest() == (Verb.CALL_REFUSED, name, about(path))
    event = AuditEvent.objects.order_by("-seq")[0]
    assert event.detail["call"] == "POST /api/v1/dags/demo/sales_report/runs"
    assert event.token.startswith("gh_")

    browser = client_as("colleague")
    assert browser.post(f"/requests/{asked.ref}/withdraw").status_code == 404
    assert newest() == (Verb.CALL_REFUSED, "colleague", asked.ref)


def test_reading_what_one_may_not_see_is_no_event(as_) -> None:
    asked = request_at_status("pending", by="lead", entitlement="demo/role/User")
    program, number = as_("security"), AuditEvent.objects.count()
    assert program.get(f"/requests/{asked.ref}").status_code == 404
    assert AuditEvent.objects.count() == number


def test_what_an_action_refuses_is_one_event_and_not_two(as_) -> None:
    asked = request_at_status("pending", by="lead", entitlement="demo/role/User")
    program, number = as_("lead"), AuditEvent.objects.count()
    assert program.post(f"/requests/{asked.ref}/approve", {}).status_code == 403
    assert newest() == (Verb.REQUEST_APPROVE_REFUSED, "lead", asked.ref)
    assert AuditEvent.objects.count() == number + 1


def test_too_many_calls_are_recorded_where_they_would_change_something(as_, settings) -> None:
    settings.API_CALLS_PER_MINUTE = 0
    program = as_("employee")
    assert program.post("/requests", {}).status_code == 429
    assert newest()[:2] == (Verb.CALL_REFUSED, "employee")


def test_a_whole_token_in_an_address_is_not_recorded(as_, client_as) -> None:
    pasted = "gh_abcdefghijkl_" + "s" * 38
    as_("employee").post(f"/requests/{pasted}/withdraw", {})
    assert newest()[0] == Verb.CALL_REFUSED
    client_as("employee").post(f"/profile/tokens/{pasted}/revoke")
    assert newest() == (Verb.CALL_REFUSED, "employee", "/profile/tokens/gh_abcdefghijkl_***/revoke")
    assert not AuditEvent.objects.filter(payload__contains="s" * 20).exists()


@pytest.mark.parametrize(
    "path, target",
    [
        ("/api/v1/requests/REQ-12/approve", "REQ-12"),
        ("/api/v1/requests/12/approve", "REQ-12"),
        ("/queue/REQ-3/approve", "REQ-3"),
        ("/grants/GR-7/hand-back", "GR-7"),
        ("/api/v1/dags/demo/sales_report/runs", "demo/sales_report"),
        ("/api/v1/permits", "/api/v1/permits"),
    ],
)
def test_what_a_call_is_about(path: str, target: str) -> None:
    assert about(path) == target
