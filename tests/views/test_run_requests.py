"""Requests for a run on the pages: the queue, the request's page, the lists and the home page."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.catalogue.models import Dag
from portal.core import clock
from portal.dags.models import DagState, Run, RunRequest
from portal.dags.requests import run_starts
from portal.dags.runs import notes
from tests.factories import CATALOGUE, offer, request_at_status, run_request, scheduled_run
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")
PARAMS = {
    "month": {"value": "2026-10", "schema": {"type": "string"}, "hidden": False, "required": False},
    "dry_run": {"value": False, "schema": {"type": "boolean"}, "hidden": False, "required": False},
    "pin": {"value": None, "schema": {}, "hidden": False, "required": False},
    "n": {"value": 0, "schema": {}, "hidden": False, "required": False},
}


@pytest.fixture(autouse=True)
def known(airflow) -> Dag:
    dag = Dag.objects.get(dag_id="payroll_close")
    places = {"declared": [["pin"]], "places": []}
    columns = {"known": True, "secrets": places, "params": PARAMS, "seen_at": clock.now()}
    DagState.objects.update_or_create(dag=dag, defaults=columns)
    return dag


def page(client, address: str) -> Page:
    response = client.get(address)
    assert response.status_code == 200
    return Page(response)


def test_the_queue_names_the_run_and_what_is_not_the_default(client_as):
    made = run_request(conf={"month": "2026-11", "dry_run": False, "pin": "1234"})
    shown = page(client_as("lead"), "/queue")
    for words in (
        "Run payroll_close on demo",
        "employee asks to run payroll_close on demo with dry_run false, month 2026-11 and pin ***",
        "month-end close",
        "month 2026-11 default 2026-10",
        "pin *** secret",
        "No run of this DAG was approved before.",
        made.conf_sha256,
        "Approve the run",
    ):
        assert words in shown.text
    assert "dry_run false default" not in shown.text
    assert "Approve for less" not in shown.text
    assert "1234" not in shown.text


def test_the_card_compares_with_the_last_approved_run(client_as):
    first = run_request("approved", conf={"month": "2026-10"})
    run_request("denied", conf={"month": "2026-09"})
    run_request(conf={"month": "2026-11", "dry_run": True})
    shown = page(client_as("lead"), "/queue")
    assert "month 2026-11 instead of 2026-10" in shown.text
    assert "dry_run true instead of the DAG's default" in shown.text
    assert f"/requests/{first.ref}" in shown.links


def test_the_card_says_that_the_parameters_are_the_same(client_as):
    run_request("approved")
    run_request()
    assert "The same parameters as" in page(client_as("lead"), "/queue").text


def test_the_card_warns_of_what_would_prevent_the_start(client_as, known):
    DagState.objects.update(paused=True)
    Dag.objects.filter(pk=known.pk).update(
        freeze=[{"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "year-end close"}]
    )
    run_request()
    shown = page(client_as("lead"), "/queue")
    assert "Paused: Yes. The run stays queued until the DAG is unpaused." in shown.text
    assert "If approved now, the run would not be started." in shown.text


def test_one_queue_holds_requests_of_every_kind_and_approving_shows_the_next(client_as):
    run, access = run_request(), request_at_status()
    client = client_as("lead")
    shown = page(client, "/queue")
    assert {f"/queue/{run.ref}", f"/queue/{access.ref}"} <= shown.links
    response = client.post(f"/requests/{run.ref}/approve", follow=True)
    assert response.redirect_chain == [(f"/queue/{access.ref}", 302)]
    assert f"You approved {run.ref}. Gatehouse is starting the run." in Page(response).text
    client.post(f"/requests/{access.ref}/deny", {"comment": "no"})
    assert "You approved a run of payroll_close on demo for employee" in page(client, "/queue").text


def test_a_longer_queue_of_runs_takes_no_more_queries(client_as, django_assert_max_num_queries):
    client = client_as("lead")
    run_request(conf={"n": 0})
    with django_assert_max_num_queries(200) as few:
        client.get("/queue")
    for number in range(1, 6):
        run_request(conf={"n": number})
    with django_assert_max_num_queries(len(few)):
        client.get("/queue")


def test_the_page_from_asked_to_the_run(client_as):
    made = run_request()
    client = client_as("employee")
    shown = page(client, f"/requests/{made.ref}")
    assert "employee asks to run payroll_close on demo with month 2026-11" in shown.text
    assert "lead or lead2 decides" in shown.text
    assert "The run is started" in shown.text
    assert f"/requests/{made.ref}/withdraw" in shown.actions
    client_as("lead").post(f"/requests/{made.ref}/approve")
    run = Run.objects.get()
    shown = page(client, f"/requests/{made.ref}")
    assert f"{run.ref}: the run is being sent to Airflow." in shown.text
    assert f"/runs/{run.ref}" in shown.links
    assert f"/requests/{made.ref}" in page(client, f"/runs/{run.ref}").links, "they link each other"


def test_the_note_in_airflow_names_requester_request_hash_and_reason(client_as):
    made = run_request("approved")
    note = notes.of_request(Run.objects.get())
    for words in ("Requested by employee", made.ref, made.conf_sha256, "month-end close"):
        assert words in note


@pytest.mark.parametrize("status", ["denied", "withdrawn", "returned"])
def test_the_page_in_every_other_state(client_as, status):
    made = run_request(status)
    assert page(client_as("employee"), f"/requests/{made.ref}").text.count("payroll_close") > 1


def test_a_returned_one_is_changed_on_its_page(client_as):
    made = run_request("returned", conf={"month": "2026-11", "pin": "1234"})
    client = client_as("employee")
    shown = page(client, f"/requests/{made.ref}")
    assert "Change the request and send it again" in shown.text
    sent = {"round": "1", "conf": '{"month": 1,}', "reason": "October"}
    response = client.post(f"/requests/{made.ref}/resubmit", sent)
    assert response.status_code == 422
    assert "Not valid JSON at line 1" in Page(response).text
    kept = {**sent, "conf": '{"pin": "***", "month": "2026-11"}'}
    assert client.post(f"/requests/{made.ref}/resubmit", kept).status_code == 302
    again = RunRequest.objects.get()
    assert (again.round, again.reason, again.sealed) == (2, "October", made.sealed)
    shown = page(client_as("lead"), f"/queue/{made.ref}")
    assert "New reason: October" in shown.text


def test_a_scheduled_start_is_said_and_cancelled_by_its_requester(client_as):
    made = scheduled_run()
    client = client_as("colleague")
    shown = page(client, f"/requests/{made.ref}")
    assert "The run starts" in shown.text
    assert "Needs no decision" in shown.text
    response = client.post(f"/requests/{made.ref}/cancel", follow=True)
    assert "You cancelled the start" in Page(response).text
    assert "The start was cancelled. Nothing was changed in Airflow." in Page(response).text
    assert RunRequest.objects.get().start_status == "cancelled"


def test_an_approver_says_why_the_start_is_cancelled(client_as):
    made = run_request("approved", start_at=timezone.now() + timedelta(hours=3))
    client = client_as("lead")
    response = client.post(f"/requests/{made.ref}/cancel", {"reason": " "})
    assert response.status_code == 422
    assert Page(response).text.count("Say why you cancel it. The requester reads this.") == 2
    assert client.post(f"/requests/{made.ref}/cancel", {"reason": "not this week"}).status_code == 302
    assert "not this week" in page(client_as("employee"), f"/requests/{made.ref}").text


def test_home_and_the_page_say_why_an_approved_run_was_not_started(client_as):
    made = run_request("approved", start_at=timezone.now() + timedelta(hours=3))
    client = client_as("employee")
    assert "Run payroll_close on demo" in page(client, "/").text
    Dag.objects.filter(dag_id="payroll_close").update(retired_at=timezone.now())
    with time_machine.travel(made.start_at + timedelta(seconds=1), tick=False):
        run_starts.start_due()
    for address in ("/", f"/requests/{made.ref}"):
        shown = page(client, address)
        assert "not started" in shown.text
        assert "payroll_close is no longer in the catalogue." in shown.text
    with time_machine.travel(made.start_at + timedelta(days=4)):
        assert "no longer in the catalogue" not in page(client_as("employee"), "/").text


def test_the_tabs_of_my_requests(client_as):
    waiting, done = run_request(conf={"n": 1}), run_request("approved", conf={"n": 2})
    planned = run_request("approved", conf={"n": 3}, start_at=timezone.now() + timedelta(hours=3))
    client = client_as("employee")

    def listed(tab: str) -> set[str]:
        links = page(client, f"/requests?show={tab}").links
        return {link.rpartition("/")[2] for link in links if link.startswith("/requests/REQ-")}

    assert listed("open") == {waiting.ref, planned.ref}
    assert listed("closed") == {done.ref}
    assert listed("held") == set()
    assert listed("all") == {waiting.ref, done.ref, planned.ref}


def test_an_approver_reads_the_title_and_the_name_of_a_parameter(client_as):
    titled = {**PARAMS, "month": {**PARAMS["month"], "schema": {"type": "string", "title": "Month to close"}}}
    DagState.objects.update(params=titled)
    run_request(conf={"month": "2026-11", "n": 3})
    assert "Month to close month 2026-11 default 2026-10 n 3" in page(client_as("lead"), "/queue").text


@pytest.mark.parametrize("is_frozen", [True, False])
def test_a_request_without_a_decision_has_one_message_that_is_true(client_as, tmp_path, is_frozen):
    offer(tmp_path, source=CATALOGUE.read_text().replace('policy = "one-lead"', 'policy = "at-once"'))
    freeze = {"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "year-end close"}
    Dag.objects.filter(dag_id="payroll_close").update(freeze=[freeze] if is_frozen else [])
    sent = {"conf": '{"month": "2026-11"}', "reason": "month-end close"}
    answer = client_as("employee").post("/dags/demo/payroll_close/runs", sent, follow=True)
    [message] = answer.context["messages"]
    made = RunRequest.objects.get()
    assert made.start_status == ("not_started" if is_frozen else "started")
    if is_frozen:
        said = f"{made.ref} was sent. It needs no decision, but the run was not started. {made.start_problem}"
        assert (message.level_tag, message.message) == ("warning", said)
    else:
        said = f"{made.ref} was sent. It needs no decision. This page shows its progress."
        assert (message.level_tag, message.message) == ("success", said)


def test_an_approval_whose_run_is_not_started_is_a_warning(client_as, known):
    made = run_request()
    freeze = {"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "year-end close"}
    Dag.objects.filter(pk=known.pk).update(freeze=[freeze])
    answer = client_as("lead").post(f"/requests/{made.ref}/approve", follow=True)
    [message] = answer.context["messages"]
    assert message.level_tag == "warning" and "The run was not started: payroll_close is frozen" in message.message
