"""What goes wrong, as a page and for htmx: what happened, that nothing was lost, what to do, and a reference."""

import logging

import pytest
from django.test import Client
from django.urls import path

from accounts.guard import public
from portal import urls
from portal.audit import refusals
from portal.audit.models import AuditEvent, RepeatedRefusal
from portal.audit.verbs import Verb
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("catalogue")

HTMX = {"HX-Request": "true"}


@public
def breaks(request):
    raise ZeroDivisionError("a very secret detail")


urlpatterns = [*urls.urlpatterns, path("breaks", breaks)]
handler404, handler500 = urls.handler404, urls.handler500


def test_an_address_that_leads_nowhere(client_as):
    for who in ("employee", ""):
        response = client_as(who).get("/nowhere")
        assert response.status_code == 404
        page = Page(response)
        assert "There is no page at this address." in page.text
        assert ("menu" in page.text) is bool(who)
        assert ("/" if who else "/login") in page.links
        assert ("/requests" in page.links) is bool(who)


def test_a_page_one_may_not_see(client_as):
    response = client_as("employee").get("/audit")
    assert response.status_code == 403
    page = Page(response)
    assert "This is for auditors and admins only." in page.text
    assert "The attempt is in the audit trail." in page.text
    assert "ask a platform admin" in page.text


def test_an_admin_is_not_sent_to_an_admin(client_as):
    page = Page(client_as("admin").get("/queue"))
    assert (
        "This is for approvers only. The policies and groups in gatehouse.toml say who is an approver or an auditor."
        in page.text
    )
    assert "ask a platform admin" not in page.text


def test_for_htmx_a_refusal_goes_to_the_messages_of_the_page_that_is_there(client_as):
    for address, status in (("/audit", 403), ("/requests/REQ-999", 404)):
        response = client_as("employee").get(address, headers=HTMX)
        assert response.status_code == status
        assert response["HX-Retarget"] == "#messages"
        assert b"<html" not in response.content
        assert 'role="alert"' in response.content.decode()


@pytest.mark.urls(__name__)
def test_what_nobody_expected_has_a_reference_that_is_in_the_log(client_as, caplog):
    client = client_as("employee")
    client.raise_request_exception = False
    with caplog.at_level(logging.ERROR):
        response = client.get("/breaks?page=2")
    assert response.status_code == 500
    page = Page(response)
    reference = page.text.partition("the reference ")[2].partition(" ")[0]
    assert len(reference) == 8
    assert f"reference {reference}" in caplog.text
    assert "a very secret detail" not in page.text
    assert "If you sent a form, first check whether the change was made." in page.text
    assert "/breaks?page=2" in page.links


@pytest.mark.urls(__name__)
def test_the_same_for_htmx(client_as):
    client = client_as("employee")
    client.raise_request_exception = False
    response = client.get("/breaks", headers=HTMX)
    assert response.status_code == 500
    assert response["HX-Retarget"] == "#messages"
    assert b"<html" not in response.content


def test_a_stale_form_says_that_nothing_was_sent(client_as):
    client = client_as("employee", enforce_csrf_checks=True)
    assert isinstance(client, Client)
    response = client.post("/profile", {"theme": "dark"})
    assert response.status_code == 403
    assert "This form is no longer valid" in Page(response).text
    response = client.post("/profile", {"theme": "dark"}, headers=HTMX)
    assert response["HX-Retarget"] == "#messages"


@pytest.mark.parametrize(("who", "actor"), [("employee", "employee"), ("", "gatehouse")])
def test_a_form_without_its_token_is_recorded_and_its_repeats_are_counted(client_as, who, actor):
    client = client_as(who, enforce_csrf_checks=True)
    for _ in range(3):
        client.post("/profile", {"theme": "dark"}, REMOTE_ADDR="192.0.2.7")
    event = AuditEvent.objects.get(verb=Verb.CALL_REFUSED)
    assert (event.actor, event.source, event.target, event.outcome) == (actor, "192.0.2.7", "/profile", "refused")
    assert (event.detail["call"], event.detail["reason"]) == ("POST /profile", "csrf")
    assert RepeatedRefusal.objects.get(entry__verb=Verb.CALL_REFUSED).repeats == 2


def test_forms_without_a_token_make_few_events_however_many_addresses_they_are_sent_to(client_as):
    client = client_as("", enforce_csrf_checks=True)
    for number in range(refusals.STRANGERS + 10):
        client.post(f"/requests/{number}/withdraw")
    assert AuditEvent.objects.filter(verb=Verb.CALL_REFUSED).count() == refusals.STRANGERS + 1


def test_somebody_who_was_signed_out_is_led_to_sign_in_by_htmx_too(client_as):
    response = client_as("").get("/", headers={**HTMX, "HX-Current-URL": "http://testserver/requests"})
    assert response.status_code == 401
    assert response["HX-Redirect"] == "/login?next=%2Frequests"
