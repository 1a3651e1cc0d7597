"""Permits on the pages: asking, deciding, using and revoking."""

from __future__ import annotations

import json

import pytest

from portal.catalogue.queries import dags_in_force
from portal.dags.models import Permit, PermitRequest, Run
from portal.worker import runs
from tests.factories import offer_renamed, permit, permit_request, read_dag
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")
NEW = "/dags/demo/payroll_close/permit"


def page(client, address: str) -> Page:
    response = client.get(address)
    assert response.status_code == 200
    return Page(response)


def test_a_permit_is_asked_for_decided_used_and_given_back(client_as):
    read_dag("payroll_close")
    client = client_as("employee")
    assert NEW in page(client, "/dags/demo/payroll_close").links
    sent = {"runs": "2", "duration": "3 days", "reason": "month-end close", "key": "form-1"}
    sent |= {"bound:month": "2026-11, 2026-12", "bound:limit": "1 to 5", "bound:day": "7"}
    made = client.post(NEW, sent, follow=True)
    request = PermitRequest.objects.get()
    assert request.bounds == {
        "month": {"enum": ["2026-11", "2026-12"]},
        "limit": {"minimum": 1, "maximum": 5},
        "day": {"days_back": 7},
    }
    assert "employee asks for a permit for 2 runs of payroll_close on demo, for 3 days" in Page(made).text

    lead = client_as("lead")
    shown = page(lead, "/queue")
    for words in ("A permit for 2 runs of payroll_close on demo", "from 1 to 5", "a date at most 7 days back"):
        assert words in shown.text
    assert "Approve for 3 days" in shown.text
    answer = lead.post(f"/requests/{request.ref}/approve", {"duration": "1 day"}, follow=True)
    issued = Permit.objects.get()
    assert f"You approved {request.ref} for 1 day, instead of the requested 3 days." in Page(answer).text

    held = page(client, "/access")
    assert f"{issued.ref}: 0 of 2 runs used, 2 left" in held.text
    assert "2 of 2 runs left" in page(client, "/dags/demo/payroll_close").text
    response = client.post("/dags/demo/payroll_close/runs", {"conf": '{"month": "2026-10"}'})
    assert response.status_code == 403
    assert "must be" in Page(response).text
    inside = {"conf": json.dumps({"month": "2026-11", "limit": 2, "day": str(issued.created_at.date())})}
    assert client.post("/dags/demo/payroll_close/runs", inside).status_code == 302
    run = Run.objects.get()
    shown = page(client, f"/requests/{request.ref}")
    assert "1 of 2 runs is used, 1 is left." in shown.text
    assert f"/runs/{run.ref}" in shown.links
    assert f"/requests/{request.ref}" in page(client, f"/runs/{run.ref}").links

    answer = client.post(f"/permits/{issued.ref}/revoke", follow=True)
    assert f"{issued.ref} is revoked." in Page(answer).text
    assert issued.ref not in page(client, "/access").text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"runs": "0"}, "greater than or equal to 1"),
        ({"duration": "soon"}, "soon"),
        ({"bound:day": "x"}, "Enter a number of days"),
        ({"bound:limit": "a, b"}, "Write each value as JSON"),
        ({"reason": ""}, "Say why you need it"),
    ],
)
def test_what_is_wrong_is_shown_at_its_field_and_what_was_typed_stays(client_as, typed, words):
    read_dag("payroll_close")
    sent = {"runs": "2", "duration": "3 days", "reason": "month-end close", "bound:month": "2026-11", **typed}
    response = client_as("employee").post(NEW, sent)
    assert response.status_code == 422
    assert words in Page(response).text
    assert 'value="2026-11"' in response.content.decode()
    assert not PermitRequest.objects.exists()


def test_an_approver_says_why_a_permit_is_revoked(client_as):
    issued = permit()
    client = client_as("lead")
    response = client.post(f"/permits/{issued.ref}/revoke", {"reason": " "})
    assert response.status_code == 422
    assert "Say why you revoke it." in Page(response).text
    assert client.post(f"/permits/{issued.ref}/revoke", {"reason": "enough"}).status_code == 302
    assert "enough" in page(client_as("employee"), f"/requests/{issued.request.ref}").text


def test_a_returned_request_is_changed_on_its_page(client_as):
    made = permit_request()
    client_as("lead").post(f"/requests/{made.ref}/return", {"comment": "fewer"})
    client = client_as("employee")
    assert "Change the request and send it again" in page(client, f"/requests/{made.ref}").text
    sent = {"round": "1", "runs": "1", "bounds": "{}", "duration": "1 day", "reason": "October"}
    assert client.post(f"/requests/{made.ref}/resubmit", sent).status_code == 302
    assert "1 run instead of 3." in page(client_as("lead"), f"/queue/{made.ref}").text


def test_the_tabs_of_my_requests(client_as):
    issued = permit()
    client = client_as("employee")
    link = f"/requests/{issued.request.ref}"
    assert link in page(client, "/requests?show=held").links
    assert link not in page(client, "/requests").links
    client.post(f"/permits/{issued.ref}/revoke")
    assert link in page(client, "/requests?show=closed").links


def test_possible_values_are_chosen_not_typed(client_as):
    runs.read_dag(dags_in_force().select_related("deployment").get(dag_id="sales_report"))
    client, new = client_as("employee"), "/dags/demo/sales_report/permit"
    boxes = {field["value"] for field in page(client, new).all("input", name="bound:region")}
    assert boxes == {'"KR"', '"APAC"', '"EU"'}
    sent = {"runs": "2", "duration": "3 days", "reason": "quarterly figures", "key": "form-1"}
    wrong = client.post(new, {**sent, "bound:region": ['"US"']})
    assert (wrong.status_code, PermitRequest.objects.count()) == (422, 0)
    client.post(new, {**sent, "bound:region": ['"KR"', '"EU"'], "bound:dry_run": ["true"]})
    assert PermitRequest.objects.get().bounds == {"region": {"enum": ["KR", "EU"]}, "dry_run": {"enum": [True]}}


def test_a_permit_of_a_renamed_deployment_leads_to_the_dag_under_its_new_name(client_as, airflow, tmp_path):
    issued, client = permit(), client_as("employee")
    offer_renamed(tmp_path, url=airflow.url)
    read_dag("payroll_close")
    new = "/dags/main/payroll_close"
    for address in ("/access", f"/requests/{issued.request.ref}"):
        shown = page(client, address)
        assert f"{new}#run" in shown.links and not [link for link in shown.links if "/dags/demo/" in link]
    assert "3 of 3 runs left" in page(client, new).text
    assert client.post(f"{new}/runs", {"conf": '{"month": "2026-11"}'}).status_code == 302
    assert Run.objects.get().permit == issued


def test_a_permit_for_a_dag_that_left_the_catalogue_says_so(client_as):
    issued, client = permit(), client_as("employee")
    dags_in_force().filter(dag_id="payroll_close").update(retired_at=issued.created_at)
    for address in ("/access", f"/requests/{issued.request.ref}"):
        shown = page(client, address)
        assert "It cannot be used now: payroll_close is no longer in the catalogue." in shown.text
        assert not [link for link in shown.links if "/dags/demo/" in link]


def test_what_a_revocation_stops_is_said(client_as):
    issued, client = permit(runs=1), client_as("employee")
    client.post("/dags/demo/payroll_close/runs", {"conf": '{"month": "2026-11"}'})
    run, lead = Run.objects.get(), client_as("lead")
    assert f"/permits/{issued.ref}/revoke" in page(lead, f"/requests/{issued.request.ref}").actions
    answer = lead.post(f"/permits/{issued.ref}/revoke", {"reason": "wrong month"}, follow=True)
    assert f"Not started yet, and not started any more: {run.ref}." in Page(answer).text


def test_the_home_page_shows_a_permit_as_held(client_as):
    issued, client = permit(), client_as("employee")
    shown = page(client, "/")
    assert f"{issued.ref}: 0 of 3 runs used, 3 left" in shown.text
    assert "/dags/demo/payroll_close#run" in shown.links
    assert "You have no access at the moment" not in shown.text


def test_an_approver_reads_the_titles_of_bounded_parameters(client_as):
    runs.read_dag(dags_in_force().select_related("deployment").get(dag_id="sales_report"))
    sent = {"runs": "2", "duration": "3 days", "reason": "figures", "bound:region": ['"EU"']}
    client_as("employee").post("/dags/demo/sales_report/permit", sent)
    assert 'Region region "EU"' in page(client_as("lead"), "/queue").text
