"""DAGs: the list, a DAG's page, starting a run, pausing and unpausing."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from portal.catalogue.models import Dag
from portal.dags import actions
from portal.dags.models import DagState, Run, RunRequest
from portal.operations.models import Operation
from portal.worker import runs
from tests.factories import observe, offer_renamed, person, work_off
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")

HTMX = {"HX-Request": "true"}
SALES = "/dags/demo/sales_report"


def dag(name: str = "sales_report") -> Dag:
    return Dag.objects.get(dag_id=name)


def start(client, conf: str = "{}", note: str = "", key: str = "one", **extra):
    return client.post(f"{SALES}/runs", {"conf": conf, "note": note, "key": key}, **extra)


# --- the list --------------------------------------------------------------------------------------------------------
def test_what_one_may_not_do_is_shown_with_why(client_as):
    page = Page(client_as("colleague").get("/dags"))
    assert f"{SALES}#run" in page.links
    assert "group data, group sales after an approval" in page.text
    assert "Ask to run payroll_close" in page.text
    assert "/dags/demo/payroll_close#run" in page.links
    reason = next(given["id"] for given in page.all("p", **{"class": "why"}))
    assert any(given.get("aria-describedby") == reason for given in page.all("button") if "disabled" in given)


def test_the_list_says_of_when_it_speaks(client_as):
    seen = timezone.now() - timedelta(minutes=5)
    DagState.objects.filter(dag=dag()).update(seen_at=seen)
    page = Page(client_as("colleague").get("/dags"))
    assert "Read from Airflow 5 minutes ago" in page.text
    assert page.all("time", datetime=seen.isoformat())


def test_people_without_dags_read_how_to_get_there(client_as):
    page = Page(client_as("stranger").get("/dags"))
    assert "There is no DAG for you to operate yet" in page.text


def test_finding_one(client_as):
    page = Page(client_as("colleague").get("/dags", {"q": "sales"}))
    assert SALES in page.links
    assert "/dags/demo/flaky_import" not in page.links
    assert "No DAG matches “nothing”" in Page(client_as("colleague").get("/dags", {"q": "nothing"})).text
    part = client_as("colleague").get("/dags", {"q": "sales"}, headers=HTMX)
    assert part.content.decode().strip().startswith('<div id="dags">')


def test_a_dag_that_airflow_cannot_run_offers_no_run(client_as, airflow):
    airflow.state.dags["sales_report"].import_errors = True
    runs.read_dag(dag())
    page = Page(client_as("colleague").get("/dags"))
    assert "The file of this DAG has import errors in Airflow." in page.text
    assert f"{SALES}#run" not in page.links


def test_the_list_never_waits_for_airflow(client_as, airflow):
    airflow.stop()
    before = len(airflow.requests)
    assert client_as("colleague").get("/dags").status_code == 200
    assert client_as("colleague").get(SALES).status_code == 200
    assert len(airflow.requests) == before


# --- one DAG ---------------------------------------------------------------------------------------------------------
def test_the_form_comes_with_the_dags_own_defaults(client_as):
    page = Page(client_as("colleague").get(SALES))
    assert [one["value"] for one in page.all("input", name="param:region") if "checked" in one] == ['"KR"']
    assert "Do everything but publish." in page.text
    assert f"{SALES}/runs" in page.actions
    text = Page(client_as("colleague").get(SALES, {"view": "json"})).text
    assert '"region": "KR"' in text and "one of KR, APAC, EU" in text


def test_the_form_comes_from_what_the_worker_keeps(client_as, airflow):
    before = len(airflow.requests)
    page = Page(client_as("colleague").get(SALES))
    assert page.all("input", name="param:region")
    assert "hx-get" not in page.all("div", id="run")[0]
    assert len(airflow.requests) == before


@pytest.mark.parametrize(
    ("param", "told"),
    [
        ({"value": None, "schema": {"enum": ["EU", "US"]}}, True),
        ({"value": None, "schema": {"minimum": 1}}, True),
        ({"value": None, "schema": {"type": "string"}}, True),
        ({"value": None, "schema": {}}, False),
        ({"value": None, "schema": {"type": ["null", "string"]}}, False),
    ],
)
def test_what_has_no_default_is_not_filled_in(client_as, airflow, param, told):
    airflow.state.dags["sales_report"].params["extra"] = param
    runs.read_dag(dag())
    response = client_as("colleague").get(SALES, {"view": "json"})
    assert ("needs a value" in Page(response).text) is told
    begun = json.loads(response.context["run_form"]["conf"].value())
    assert begun.get("extra", "left out") == ("left out" if told else None)


def test_htmx_loads_the_form_alone(client_as):
    response = client_as("colleague").get(SALES, headers={**HTMX, "HX-Target": "run"})
    assert b"<html" not in response.content
    assert b'id="run"' in response.content
    assert b'name="param:region"' in response.content
    assert b"every 2s" not in response.content  # or it would load itself for ever


def test_an_airflow_that_is_away_leaves_what_it_told_last(client_as, airflow):
    airflow.stop()
    observe(status="down")
    page = Page(client_as("colleague").get(SALES, {"view": "json"}))
    assert "one of KR, APAC, EU" in page.text
    assert "Read from Airflow just now" in page.text


def test_an_airflow_that_was_never_there_leaves_the_plain_editor(client_as):
    DagState.objects.all().delete()
    observe(status="down")
    page = Page(client_as("colleague").get(SALES))
    assert "unreachable. The parameters of this DAG cannot be shown now. You can still enter them." in page.text
    assert f"{SALES}/runs" in page.actions


def test_fixed_parameters_are_noted_and_filled_in(client_as):
    Dag.objects.filter(pk=dag().pk).update(locked={"region": "EU"})
    page = Page(client_as("colleague").get(SALES))
    assert "Fixed; you cannot change these: Region (region) EU" in page.text
    assert not page.all("input", name="param:region")


def test_who_may_ask_but_not_run_sees_the_same_form_which_asks(client_as):
    page = Page(client_as("employee").get(SALES))
    assert f"{SALES}/runs" in page.actions and page.all("input", name="param:region")
    assert "Ask to run sales_report" in page.text and "Run sales_report" not in page.text
    assert page.all("textarea", name="reason") and not page.all("input", name="note")


@pytest.mark.parametrize("address", ["/dags/demo/nothing", "/dags/nowhere/sales_report"])
def test_what_is_not_there_is_a_404(client_as, address):
    assert client_as("colleague").get(address).status_code == 404
    assert client_as("colleague").post(f"{address}/runs").status_code == 404


def test_what_one_may_not_see_is_a_404(client_as):
    assert client_as("stranger").get(SALES).status_code == 404


# --- running ---------------------------------------------------------------------------------------------------------
def test_a_run_is_started_once_per_form(client_as, airflow):
    client = client_as("colleague")
    key = Page(client.get(SALES)).all("input", name="key")[0]["value"]
    first = start(client, '{"region": "EU"}', "for the board", key)
    second = start(client, '{"region": "EU"}', "for the board", key)
    run = Run.objects.get()
    assert first["Location"] == second["Location"] == f"/runs/{run.ref}"
    assert (run.conf, run.note, run.requested_by.username) == ({"region": "EU"}, "for the board", "colleague")
    work_off()
    assert [there.conf for there in airflow.state.runs] == [{"region": "EU"}]


def test_a_form_that_was_changed_is_another_run_and_one_that_was_not_says_so(client_as):
    client = client_as("colleague")
    first = start(client, '{"region": "KR"}', key="form-1")
    second = start(client, '{"region": "APAC"}', key="form-1", follow=True)
    assert [run.conf["region"] for run in Run.objects.order_by("pk")] == ["KR", "APAC"]
    assert "You already sent this form" not in Page(second).text
    again = start(client, '{ "region":"KR" }', key="form-1", follow=True)
    assert again.redirect_chain[-1][0] == first["Location"]
    assert "no other run was started" in Page(again).text


def test_each_form_has_a_key_of_its_own(client_as):
    client = client_as("colleague")
    keys = {Page(client.get(SALES)).all("input", name="key")[0]["value"] for _ in range(3)}
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ('{"region": "EU",\n "x": }', "Not valid JSON at line 2, column 7"),
        ("[1, 2]", "must be a JSON object"),
        ('{"a": 1, "a": 2}', "“a” is given twice"),
        ('{"a": NaN}', "NaN is not a number that can be stored"),
        ('{"region": "US"', "Not valid JSON at line 1"),
        ('{"region": "US"}', 'Region (region): "US" is not possible: choose one of KR, APAC, EU.'),
        ('{"regoin": "EU"}', "The DAG has no parameter “regoin”. It has region, dry_run, date."),
    ],
)
def test_wrong_parameters_come_back_as_they_were_typed(client_as, typed, words):
    response = start(client_as("colleague"), typed, "the note", "the-key")
    page = Page(response)
    assert response.status_code == 422
    assert words in page.text
    assert " ".join(typed.split()) in page.text
    assert page.all("input", name="note")[0]["value"] == "the note"
    assert page.all("input", name="key")[0]["value"] == "the-key"
    assert "one of KR, APAC, EU" in page.text
    assert Run.objects.count() == 0


def test_a_fixed_parameter_cannot_be_changed(client_as):
    Dag.objects.filter(pk=dag().pk).update(locked={"region": "EU"})
    response = start(client_as("colleague"), '{"region": "KR"}')
    assert response.status_code == 422
    assert "“region” is fixed" in Page(response).text
    assert Run.objects.count() == 0


def test_a_refusal_keeps_what_was_typed(client_as):
    Dag.objects.filter(pk=dag().pk).update(max_runs_per_hour=1)
    start(client_as("colleague"), key="one")
    response = start(client_as("colleague"), '{"region": "EU"}', key="two")
    assert response.status_code == 403
    assert "is an hour old" in Page(response).text
    assert '{"region": "EU"}' in Page(response).text
    assert Run.objects.count() == 1


def test_who_may_not_run_at_once_asks_with_a_reason(client_as):
    client, sent = client_as("employee"), {"mode": "form", "param:region": '"EU"', "param:date": "2026-11-21"}
    response = client.post(f"{SALES}/runs", sent)
    assert response.status_code == 422 and response.context["run_form"]["reason"].errors
    response = client.post(f"{SALES}/runs", {**sent, "reason": "month end"})
    request = RunRequest.objects.get()
    assert response["Location"] == f"/requests/{request.ref}"
    asked = {"region": "EU", "dry_run": False, "date": "2026-11-21"}
    assert (json.loads(request.conf_text), request.reason) == (asked, "month end")
    assert not Run.objects.exists()


# --- pausing ---------------------------------------------------------------------------------------------------------
def test_pausing_needs_a_reason_and_is_followed_until_it_is_done(client_as, airflow):
    client = client_as("colleague")
    response = client.post(f"{SALES}/pause", {"reason": ""})
    assert response.status_code == 422
    assert "Say why you pause it" in Page(response).text

    response = client.post(f"{SALES}/pause", {"reason": "bad numbers"}, follow=True)
    page = Page(response)
    assert "The DAG is being paused in Airflow" in page.text
    assert "Being paused" in page.text
    assert page.all("section", id="switch")[0]["hx-trigger"] == "every 2s"
    assert page.inputs_inside("switch") == []

    work_off()
    assert airflow.state.dags["sales_report"].paused
    part = client.get(SALES, headers={**HTMX, "HX-Target": "switch"})
    assert "Paused in Airflow" in Page(part).text
    assert b"every 2s" not in part.content
    assert f"{SALES}/unpause" in Page(part).actions


def test_unpausing(client_as, airflow):
    airflow.state.dags["sales_report"].paused = True
    runs.read_dag(dag())
    page = Page(client_as("colleague").get(SALES))
    assert "The DAG is paused: the run stays queued until it is unpaused." in page.text
    client_as("colleague").post(f"{SALES}/unpause", {"reason": ""})
    work_off()
    assert not airflow.state.dags["sales_report"].paused


def test_who_paused_it_when_and_why_stands_beside_the_switch_and_in_the_list(client_as, airflow):
    client = client_as("colleague")
    client.post(f"{SALES}/pause", {"reason": "bad numbers <b>"})
    work_off()
    for address, words in (
        (SALES, "Paused by colleague today,"),
        ("/dags", "Paused by colleague just now"),
    ):
        text = Page(client.get(address)).text
        assert words in text and "bad numbers <b>" in text and not re.search("” ?\\.", text)
    client.post(f"{SALES}/unpause", {"reason": "numbers are right"})
    work_off()
    assert "Unpaused by colleague today," in Page(client.get(SALES)).text
    assert "numbers are right" in Page(client.get(SALES)).text

    airflow.state.dags["sales_report"].paused = True  # by somebody in Airflow
    runs.read_dag(dag())
    text = Page(client.get(SALES)).text
    assert "Changed in Airflow; Gatehouse saw it today," in text
    assert "numbers are right" not in text


def test_a_run_of_a_paused_dag_is_not_said_to_start_within_seconds(client_as, airflow):
    airflow.state.dags["sales_report"].paused = True
    runs.read_dag(dag())
    text = Page(client_as("colleague").get(SALES)).text
    assert "starts when the DAG is unpaused" in text
    assert "within seconds" not in text


def test_the_list_knows_a_run_that_was_just_asked_for(client_as, airflow):
    client = client_as("colleague")
    start(client)
    run = Run.objects.get()
    assert f"{run.ref} being sent to Airflow just now" in Page(client.get("/dags", {"q": "sales"})).text
    work_off()
    assert f"{run.ref} queued just now" in Page(client.get("/dags", {"q": "sales"})).text
    airflow.set_run_states("success")
    runs.read_dag(dag())
    text = Page(client.get("/dags", {"q": "sales"})).text
    assert "success" in text and run.ref not in text and "No runs yet" not in text


def test_a_dag_whose_end_date_has_passed_warns_before_it_is_run(client_as, airflow):
    airflow.state.dags["sales_report"].end_date = datetime(2026, 2, 1, tzinfo=UTC)
    runs.read_dag(dag())
    for address in (SALES, "/dags"):
        text = Page(client_as("colleague").get(address)).text
        assert "The DAG's end date, 2026-02-01, has passed." in text
        assert "a success without running any task" in text


def test_runs_that_cannot_be_listed_leave_all_else_as_it_is(client_as, airflow):
    airflow.state.dags["sales_report"].paused = True
    airflow.fail_next("GET .*/dags/sales_report/dagRuns", "500", times=9)
    runs.read_dag(dag())
    text = Page(client_as("colleague").get(SALES)).text
    assert "Paused in Airflow" in text
    assert "Its last runs could not be read" in text


# --- running again ---------------------------------------------------------------------------------------------------
def test_a_run_that_never_started_is_asked_for_again_with_its_parameters(client_as, airflow):
    client = client_as("colleague")
    start(client, '{"region": "EU"}', "for the board")
    airflow.state.dags["sales_report"].params["region"]["schema"]["enum"] = ["KR"]
    work_off()
    run = Run.objects.get()
    assert run.status == "failed"
    (link,) = (link for link in Page(client.get(f"/runs/{run.ref}")).links if "again=" in link)
    response = client.get(link)
    assert response.context["run_form"]["param:region"].value() == '"EU"'
    page = Page(response)
    assert page.all("input", name="note")[0]["value"] == "for the board"
    assert f"Filled in from {run.ref}" in page.text


@pytest.mark.parametrize("name", ["RUN-999", "x", ""])
def test_a_run_that_is_not_there_is_not_run_again(client_as, name):
    response = client_as("colleague").get(SALES, {"again": name})
    assert response.context["run_form"]["param:region"].value() == '"KR"'
    assert "Filled in from" not in Page(response).text


@pytest.mark.parametrize("same", [True, False])
def test_a_run_of_before_a_deployment_was_renamed_is_run_again_on_the_same_airflow_alone(
    client_as, airflow, tmp_path, same
):
    run = actions.trigger(by=person("colleague"), dag=dag(), conf={"date": "2001-02-03"})
    offer_renamed(tmp_path, url=airflow.url if same else "http://127.0.0.1:1")
    response = client_as("colleague").get("/dags/main/sales_report", {"again": run.ref})
    assert (f"Filled in from {run.ref}" in Page(response).text, b"2001-02-03" in response.content) == (same, same)


def test_a_run_of_another_dag_gives_no_parameters(client_as, airflow):
    run = actions.trigger(by=person("colleague"), dag=dag("every_param"), conf={"text": "secret plan"})
    assert b"secret plan" not in client_as("colleague").get(SALES, {"again": run.ref}).content


@pytest.mark.parametrize(
    ("status", "refused", "waits"),
    [
        ("up", [], False),
        ("down", [], True),
        ("needs_reauthentication", ["runner"], True),
        ("needs_reauthentication", ["granter"], False),
    ],
)
def test_when_a_run_would_start_is_said(client_as, status, refused, waits):
    observe(status=status, granter_refused="granter" in refused, runner_refused="runner" in refused)
    text = Page(client_as("colleague").get(SALES)).text
    assert ("The run waits until Airflow can be reached again" in text) is waits
    assert ("The run starts within seconds" in text) is not waits


def test_an_airflow_that_is_away_is_said_while_it_waits(client_as):
    client_as("colleague").post(f"{SALES}/pause", {"reason": "bad numbers"})
    observe(status="down")
    text = Page(client_as("colleague").get(SALES)).text
    assert "Airflow on demo is unreachable. Gatehouse continues when Airflow answers." in text


def test_a_switch_that_failed_is_said_until_it_is_so(client_as, airflow):
    client = client_as("colleague")
    client.post(f"{SALES}/pause", {"reason": "bad numbers"})
    now = timezone.now()
    Operation.objects.update(status="failed", settled_at=now, error="Airflow knows no DAG of that name.")
    text = Page(client.get(SALES)).text
    assert "Pausing failed" in text
    assert "Airflow knows no DAG of that name." in text
    assert f"{SALES}/pause" in Page(client.get(SALES)).actions

    airflow.state.dags["sales_report"].paused = True  # by somebody in Airflow
    runs.read_dag(dag())
    assert "Pausing failed" not in Page(client.get(SALES)).text


@pytest.mark.parametrize("status", ["queued", "failed"])
def test_a_variable_called_like_the_dag_is_not_its_switch(client_as, status):
    client = client_as("colleague")
    client.post(f"{SALES}/pause", {"reason": "bad numbers"})
    work_off()
    settled = timezone.now() if status == "failed" else None
    Operation.objects.update(kind="set_variable", status=status, settled_at=settled, error="No such value.")
    text = Page(client.get(SALES)).text
    assert "Unpausing failed" not in text and "Being unpaused" not in text and "No such value." not in text


def test_only_pausing_needs_a_reason_and_the_form_says_so(client_as, airflow):
    assert "Reason (optional)" not in Page(client_as("colleague").get(SALES)).text
    airflow.state.dags["sales_report"].paused = True
    runs.read_dag(dag())
    assert "Reason (optional)" in Page(client_as("colleague").get(SALES)).text


def test_who_may_not_pause_is_refused(client_as):
    response = client_as("employee").post(f"{SALES}/pause", {"reason": "why not"})
    assert response.status_code == 403
    assert Operation.objects.count() == 0
    assert "disabled" in json.dumps(Page(client_as("employee").get(SALES)).all("button"))


def test_a_dag_airflow_never_told_about_cannot_be_switched(client_as):
    DagState.objects.all().delete()
    page = Page(client_as("colleague").get(SALES))
    assert "Gatehouse has not read this DAG from Airflow yet." in page.text
    assert f"{SALES}/pause" not in page.actions
    assert client_as("colleague").get("/dags").status_code == 200


def test_nothing_is_done_by_following_a_link(client_as):
    for name in ("runs", "pause", "unpause"):
        assert client_as("colleague").get(f"{SALES}/{name}")["Location"].partition("#")[0] == SALES
