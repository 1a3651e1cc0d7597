"""My requests: the tabs, whose they are, and paging."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.access.models import AccessRequest
from portal.approvals import actions
from portal.web.requests import views as pages
from tests.factories import grant_at_status, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")


def refs(response) -> list[str]:
    page = Page(response)
    return [link.rpartition("/")[2] for link in dict.fromkeys(page.links) if link.startswith("/requests/REQ-")]


def test_open_held_closed_and_all(client_as):
    waiting = request_at_status("pending", entitlement="demo/role/Op").ref
    denied = request_at_status("denied").ref
    active = grant_at_status("active").request.ref
    ended = grant_at_status("ended", entitlement="demo/dag/sales_report/view").request.ref
    applying = grant_at_status("applying", entitlement="demo/role/Viewer").request.ref
    client = client_as("employee")
    assert set(refs(client.get("/requests"))) == {waiting, applying}
    assert set(refs(client.get("/requests?show=held"))) == {active}
    assert set(refs(client.get("/requests?show=closed"))) == {denied, ended}
    assert set(refs(client.get("/requests?show=all"))) == {waiting, applying, denied, active, ended}


def test_the_lists_name_the_time_that_was_granted(client_as, lead):
    made = request_at_status("pending")
    actions.approve(request_id=made.pk, by=lead, duration=timedelta(hours=2))
    for address in ("/requests", "/"):
        text = Page(client_as("employee").get(address)).text
        assert "Work with DAGs on demo for 2 hours" in text
        assert "for 8 hours" not in text


def test_only_ones_own_even_for_who_may_see_all(client_as):
    request_at_status("pending")
    for who in ("lead", "auditor", "admin"):
        page = Page(client_as(who).get("/requests?show=all"))
        assert "You have made no requests yet" in page.text


def test_pages_follow_each_other_without_gap_or_repeat(client_as, monkeypatch):
    monkeypatch.setattr(pages, "PAGE", 2)
    with time_machine.travel(timezone.now(), tick=False):  # of one instant, so that the number alone tells them apart
        made = [request_at_status("withdrawn").ref for _ in range(5)]
    client, seen, address = client_as("employee"), [], "/requests?show=all"
    while address:
        response = client.get(address)
        seen += sorted(refs(response), reverse=True)
        older = Page(response).all("a", rel="next")
        address = f"/requests{older[0]['href']}" if older else ""
    assert seen == sorted(made, reverse=True)
    assert AccessRequest.objects.count() == 5


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", "99999999999999999999999.1", "-1.1"])
def test_a_cursor_of_nobodys_is_a_404(client_as, cursor):
    assert client_as("employee").get("/requests", {"after": cursor}).status_code == 404
