"""Home: each section says what is there, or what would be and how to get it."""

import pytest

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests import trail
from tests.factories import grant_at_status, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")


def test_a_newcomer_is_told_what_would_be_here(client_as):
    page = Page(client_as("stranger").get("/"))
    assert "You have no access at the moment" in page.text
    assert "You have no open requests" in page.text
    assert "There is no DAG that you may run" in page.text
    assert "Decide" not in page.text
    assert "/requests/new" in page.links


def test_what_is_held_what_waits_and_the_step_it_is_at(client_as):
    active = grant_at_status("active")
    waiting = request_at_status("pending", entitlement="demo/role/Op")
    page = Page(client_as("employee").get("/"))
    assert f"/grants/{active.ref}/hand-back" in page.actions
    assert "left" in page.text
    assert f"/requests/{waiting.ref}" in page.links
    assert "lead or lead2 decides" in page.text


def test_what_is_on_its_way_to_airflow_waits_and_is_not_held_yet(client_as):
    applying = grant_at_status("applying")
    page = Page(client_as("employee").get("/"))
    assert "Being given in Airflow on demo" in page.text
    assert f"/grants/{applying.ref}/hand-back" not in page.actions


def test_a_grant_that_failed_is_seen_at_once(client_as):
    grant = grant_at_status("applying")
    grant.__class__.objects.update(status="failed", failure="no such role")
    assert "Could not be given in Airflow on demo" in Page(client_as("employee").get("/")).text


def test_an_approver_sees_first_what_waits_for_them(client_as):
    oldest = request_at_status("pending")
    for who in ("colleague", "lead2"):
        request_at_status("pending", by=who)
    request_at_status("pending", by="lead")  # their own never waits for themselves
    request_at_status("pending", by="employee", entitlement="demo/role/Op")
    page = Page(client_as("lead").get("/"))
    assert "4 requests wait for your decision" in page.text
    assert f"/queue/{oldest.ref}" in page.links
    assert len([link for link in page.links if link.startswith("/queue/")]) == 3
    assert page.text.index("Decide") < page.text.index("You hold")


def test_an_approver_with_nothing_to_decide(client_as):
    assert "Nothing waits for your decision" in Page(client_as("security").get("/")).text


def test_only_dags_one_may_run_at_once_have_a_run_button(client_as):
    page = Page(client_as("colleague").get("/"))
    assert "/dags/demo/sales_report" in page.links
    assert "/dags/demo/payroll_close" not in page.links
    page = Page(client_as("employee").get("/"))
    assert "/dags/demo/sales_report" not in page.links
    assert "You can ask to run 5 DAGs" in page.text


def test_who_oversees_sees_the_trail_and_the_deployments_first(client_as):
    page = Page(client_as("auditor").get("/"))
    assert "Nobody has verified it yet." in page.text
    assert "Airflow on demo" in page.text
    assert page.text.index("Oversee") < page.text.index("You hold")
    client_as("auditor").post("/audit/verify")
    assert "by auditor: unbroken up to event" in Page(client_as("auditor").get("/")).text
    assert "Oversee" not in Page(client_as("lead").get("/")).text


@pytest.mark.parametrize("strange", trail.STRANGE)
def test_a_verification_that_cannot_be_read_keeps_nobody_from_home(client_as, auditor, strange):
    client_as("auditor").post("/audit/verify")
    trail.forge(AuditEvent.objects.get(verb=Verb.AUDIT_VERIFIED).seq, **trail.STRANGE[strange])
    for zone in ("America/Los_Angeles", "Asia/Seoul"):  # in which the first day, or the last one, has no date
        auditor.timezone = zone
        auditor.save(update_fields=["timezone"])
        assert "Audit trail" in Page(client_as("auditor").get("/")).text


def test_access_that_somebody_took_away_is_told_until_it_is_read(client_as):
    taken = grant_at_status("ended", ended="revoked")
    grant_at_status("ended", ended="handed_back", entitlement="demo/role/Viewer")
    client = client_as("employee")
    text = Page(client.get("/")).text
    assert "Work with DAGs on demo was revoked by admin" in text
    assert "no longer needed" in text
    assert "Look around" not in text
    assert "was revoked by admin" in Page(client.get("/")).text  # looking is not reading
    assert client_as("lead").post(f"/grants/{taken.ref}/read").status_code == 403
    assert client.post(f"/grants/{taken.ref}/read")["Location"] == "/"
    assert "was revoked" not in Page(client.get("/")).text


def test_it_is_told_while_it_is_still_being_taken_away(client_as):
    grant_at_status("ending", ended="revoked")
    assert "was revoked by admin" in Page(client_as("employee").get("/")).text


def test_handing_back_asks_once_and_everywhere_the_same(client_as):
    held = grant_at_status("active")
    client = client_as("employee")
    for address in ("/", "/access", f"/requests/{held.request.ref}"):
        html = client.get(address).content.decode()
        ask = html.partition(f'action="/grants/{held.ref}/hand-back"')[0].rpartition("<details")[2]
        assert 'class="ask"' in ask and "</details>" not in ask, address
        assert "Gatehouse takes the role away in Airflow, unless your other access needs it." in html
