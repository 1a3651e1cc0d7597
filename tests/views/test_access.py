"""My access, and somebody else's for those who may see it."""

import pytest

from portal.access.models import Grant
from portal.audit.models import AuditEvent
from tests.factories import grant_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")


def test_empty_says_what_would_be_here(client_as):
    client = client_as("employee")
    assert "You have no access at the moment" in Page(client.get("/access")).text
    assert "Nothing has ended yet" in Page(client.get("/access?show=past")).text


def test_live_and_past(client_as):
    live = grant_at_status("active")
    past = grant_at_status("ended", entitlement="demo/role/Viewer")
    client = client_as("employee")
    now, then = Page(client.get("/access")), Page(client.get("/access?show=past"))
    assert f"/grants/{live.ref}/hand-back" in now.actions
    assert f"/requests/{past.request.ref}" not in now.links
    assert f"/requests/{past.request.ref}" in then.links
    assert "handed back by employee" in then.text


def test_others_access_is_for_those_who_may_see_it(client_as):
    live = grant_at_status("active")
    for who in ("auditor", "admin"):
        page = Page(client_as(who).get("/access", {"person": "Employee"}))
        assert f"/requests/{live.request.ref}" in page.links
        assert f"/grants/{live.ref}/hand-back" not in page.actions
    for who in ("lead", "colleague", "stranger"):
        response = client_as(who).get("/access", {"person": "employee"})
        assert response.status_code == 403
        assert live.request.ref not in response.content.decode()
        assert AuditEvent.objects.filter(verb="page.view_refused", actor=who, target="/access").exists()


def test_the_admin_finds_the_way_to_revoke_and_the_auditor_does_not(client_as):
    grant_at_status("active")
    assert "Revoke…" in Page(client_as("admin").get("/access", {"person": "employee"})).text
    assert "Revoke…" not in Page(client_as("auditor").get("/access", {"person": "employee"})).text


def test_ones_own_name_is_not_somebody_else(client_as):
    assert client_as("employee").get("/access", {"person": "employee"}).status_code == 200


def test_nobody_of_that_name(client_as):
    assert client_as("auditor").get("/access", {"person": "nobody"}).status_code == 404


def test_a_grant_without_a_request_is_shown_handed_back_and_revoked(client_as):
    live = grant_at_status("active")
    other = grant_at_status("active", by="colleague")
    Grant.objects.update(request=None, origin="adoption")
    holder, admin = client_as("employee"), client_as("admin")
    assert f"{live.entitlement.title} on demo" in Page(holder.get("/")).text
    assert f"/grants/{live.ref}/hand-back" in Page(holder.get("/access")).actions
    back = holder.post(f"/grants/{live.ref}/hand-back", follow=True)
    assert back.redirect_chain == [("/access?person=employee", 302)]
    assert "You handed back" in Page(back).text
    assert f"/grants/{other.ref}/revoke" in Page(admin.get("/access?person=colleague")).actions
    refused = admin.post(f"/grants/{other.ref}/revoke", {"reason": ""}, follow=True)
    assert "Say why you revoke it" in Page(refused).text
    admin.post(f"/grants/{other.ref}/revoke", {"reason": "not needed"})
    assert {grant.status for grant in Grant.objects.all()} == {"ending"}
