"""A run's page: the state as Airflow has it, followed for as long as it lasts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.airflow import health
from portal.audit.models import AuditEvent
from portal.catalogue.models import Dag, Deployment
from portal.celery import app as celery
from portal.dags import actions
from portal.dags.models import DagState, Run, RunTasks
from portal.dags.pauses import pausing
from portal.dags.runs import wanted
from portal.web.runs import run_view
from tests.factories import (
    CATALOGUE,
    follow_runs,
    look_at_all,
    look_at_dags,
    observe,
    offer,
    offer_renamed,
    person,
    work_off,
)
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")

HTMX = {"HX-Request": "true"}


@pytest.fixture
def run(airflow) -> Run:
    """Asked for by colleague, and in Airflow."""
    made = actions.trigger(
        by=person("colleague"), dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "EU"}, note="for the board"
    )
    work_off()
    made.refresh_from_db()
    return made


def every(response) -> str:
    match = re.search(r'id="live"[^>]*hx-trigger="([^"]*)"', response.content.decode())
    return match[1] if match else ""


def links_to_dags(page: Page) -> set[str]:
    return {link for link in page.links if link.startswith("/dags/")}


def test_the_page_says_all_of_the_run(client_as, run):
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    for words in ("sales_report on demo", "colleague requested this run", '"region": "EU"', "for the board", run.ref):
        assert words in page.text
    assert run.dag_run_id in page.text
    assert f"{run.dag.deployment.url}/dags/sales_report/runs/{run.dag_run_id}" in page.links


def test_airflow_2_has_other_addresses(run):
    run.dag.deployment.api = "v1"
    address = run_view.RunView(run).airflow_url
    assert address == f"{run.dag.deployment.url}/dags/sales_report/grid?dag_run_id={run.dag_run_id}"


@pytest.mark.parametrize(("who", "status"), [("colleague", 200), ("lead", 200), ("auditor", 200), ("stranger", 404)])
def test_who_may_see_it(client_as, run, who, status):
    assert client_as(who).get(f"/runs/{run.ref}").status_code == status


@pytest.mark.parametrize("name", ["RUN-999", "REQ-1", "RUN-x"])
def test_what_is_not_there_is_a_404(client_as, name):
    assert client_as("colleague").get(f"/runs/{name}").status_code == 404


def look(run: Run) -> Run:
    """As the worker does while somebody looks at the run."""
    Run.objects.filter(pk=run.pk).update(next_look=timezone.now(), wanted_until=timezone.now() + timedelta(minutes=1))
    RunTasks.objects.filter(run=run).update(seen_at=timezone.now() - timedelta(minutes=1))
    follow_runs()
    run.refresh_from_db()
    return run


@pytest.mark.parametrize("how", [{}, {"headers": HTMX}])
def test_the_page_does_not_wait_for_airflow_and_writes_nothing(client_as, airflow, run, how):
    asked, before = len(airflow.requests), Run.objects.values().get()
    events = AuditEvent.objects.count()
    airflow.set_run_states("success")
    response = client_as("colleague").get(f"/runs/{run.ref}", **how)
    assert "queued" in Page(response).text
    assert len(airflow.requests) == asked
    assert (Run.objects.values().get(), AuditEvent.objects.count()) == (before, events)
    assert every(response) == "every 2s"


def test_who_looks_lets_the_worker_know_once_in_a_while(client_as, run, monkeypatch):
    told: list[list[int]] = []
    monkeypatch.setattr(celery, "send_task", lambda name, args, **options: told.append(args))
    wanted._next.clear()
    for _ in range(5):
        client_as("colleague").get(f"/runs/{run.ref}", headers=HTMX)
    assert told == [[run.pk]]


def test_a_broker_that_is_away_costs_a_page_nothing(client_as, run, monkeypatch):
    tried: list[str] = []

    def refuse(name: str, **options: object) -> None:
        tried.append(name)
        raise ConnectionRefusedError

    monkeypatch.setattr(celery, "send_task", refuse)
    monkeypatch.setattr(wanted, "_silent_until", 0.0)
    for _ in range(3):
        wanted._next.clear()
        assert client_as("colleague").get(f"/runs/{run.ref}").status_code == 200
    assert len(tried) == 1


def test_it_is_followed_until_it_is_over_and_for_a_time_after(client_as, airflow, run):
    client, address = client_as("colleague"), f"/runs/{run.ref}?was=queued"
    assert every(client.get(address, headers=HTMX)) == "every 2s"

    airflow.set_run_states("running")
    look(run)
    response = client.get(address, headers=HTMX)
    assert b"<html" not in response.content
    assert "running" in Page(response).text
    assert "The run is running." in Page(response).text
    assert f'hx-get="/runs/{run.ref}?was=running"' in response.content.decode()
    assert Page(response).inputs_inside("live") == []

    airflow.set_run_states("success")
    look(run)
    response = client.get(f"/runs/{run.ref}?was=running", headers=HTMX)
    assert every(response) == "every 30s"
    assert "2 of 2 succeeded" in Page(response).text
    assert f"sales_report succeeded, {run.ref} – Gatehouse" in response.content.decode()
    assert "Run it again" in Page(response).text
    Run.objects.update(next_look=None)
    assert every(client.get(f"/runs/{run.ref}")) == ""


def test_nothing_is_announced_while_nothing_changes(client_as, run):
    response = client_as("colleague").get(f"/runs/{run.ref}?was=queued", headers=HTMX)
    assert b"run-news" not in response.content


def test_a_failure_names_the_task(client_as, airflow, run):
    airflow.set_run_states("running")
    look(run)
    airflow.set_run_states("failed")
    look(run)
    response = client_as("colleague").get(f"/runs/{run.ref}")
    assert "publish failed." in Page(response).text
    assert "1 of 2 succeeded, 1 failed" in Page(response).text
    assert "Run it again" in Page(response).text
    picture = Page(response).all("svg", **{"class": "task-bar space-above"})[0]
    assert picture["aria-label"] == "Tasks: 1 success, 1 failed"


def test_failed_instances_of_a_mapped_task_are_one_row_and_named(client_as, airflow, run):
    dag = airflow.state.dags["sales_report"]
    dag.mapped = {"publish": 25}
    airflow.state.runs[0].task_states = {"publish[3]": "success"}
    airflow.set_run_states("failed")
    look(run)
    response = client_as("colleague").get(f"/runs/{run.ref}")
    text = Page(response).text
    assert "24 of 25 instances of publish failed: [0] no 0, [1] no 1," in text
    assert "[10] no 10 and 14 more. Fix" in text
    assert text.count("publish") < 10, "the 25 instances are not listed"


def test_a_success_without_any_task_says_so(client_as, airflow, run):
    airflow.state.dags["sales_report"].tasks = ()
    airflow.set_run_states("success")
    look(run)
    assert "No task ran: Airflow ended this run as a success" in Page(client_as("auditor").get(f"/runs/{run.ref}")).text


def test_a_run_that_was_deleted_in_airflow_says_so(client_as, airflow, run):
    airflow.set_run_states("success")
    look(run)
    airflow.state.runs.clear()
    look(run)
    text = Page(client_as("colleague").get(f"/runs/{run.ref}")).text
    assert "This run was deleted in Airflow" in text and "never started" not in text
    assert "2 of 2 succeeded" in text


def test_a_run_that_was_put_right_in_airflow_is_what_it_is_there(client_as, airflow, run):
    airflow.set_run_states("failed")
    look(run)
    airflow.state.set_state(airflow.state.runs[0], "success")
    look(run)
    text = Page(client_as("colleague").get(f"/runs/{run.ref}")).text
    assert "succeeded" in text and "publish failed" not in text
    said = "The run had failed, then it was changed in Airflow: its state was set there, or it ran again. Gatehouse saw"
    assert said in text


def test_a_paused_dag_is_pointed_out_with_who_paused_it_and_why(client_as, airflow, run):
    pausing.pause(by=person("colleague"), dag=run.dag, reason="bad numbers")
    work_off()
    client = client_as("colleague")
    text = Page(client.get(f"/runs/{run.ref}")).text
    assert "The DAG is paused: the run stays queued until it is unpaused." in text
    assert "Paused by colleague just now : “bad numbers”" in text
    airflow.state.set_state(airflow.state.runs[0], "running")
    airflow.state.runs[0].ended_at = None
    look(run)
    text = Page(client.get(f"/runs/{run.ref}")).text
    assert "stays queued" not in text
    assert "running tasks finish, and the others wait until it is unpaused" in text


# --- when the catalogue has changed since -----------------------------------------------------------------------------
def test_a_run_of_before_its_deployment_was_renamed_leads_to_the_dag_of_the_present_name(
    client_as, airflow, run, tmp_path
):
    offer_renamed(tmp_path, url=airflow.url)
    look_at_all()
    look_at_dags()
    dag = Dag.objects.get(deployment__name="main", dag_id="sales_report")
    pausing.pause(by=person("colleague"), dag=dag, reason="bad numbers")
    work_off()
    client = client_as("colleague")
    page = Page(client.get(f"/runs/{run.ref}"))
    assert "The DAG is paused: the run stays queued until it is unpaused. Paused by colleague just now" in page.text
    assert links_to_dags(page) == {"/dags/main/sales_report", "/dags/main/sales_report#switch"}
    airflow.state.set_state(airflow.state.runs[0], "success")
    look(run)
    page = Page(client.get(f"/runs/{run.ref}"))
    assert links_to_dags(page) == {"/dags/main/sales_report", f"/dags/main/sales_report?again={run.ref}#run"}


def test_a_run_of_a_dag_that_left_the_catalogue_has_no_link_to_it(client_as, airflow, run, tmp_path):
    text = CATALOGUE.read_text()
    start = text.index('[[dags]]\ndeployment = "demo"\ndag = "sales_report"')
    offer(tmp_path, url=airflow.url, source=text[:start] + text[text.index("[[dags]]", start + 1) :])
    DagState.objects.update(paused=True)
    client = client_as("colleague")
    for state in ("queued", "success"):
        airflow.set_run_states(state)
        page = Page(client.get(f"/runs/{look(run).ref}"))
        assert (run.status, links_to_dags(page)) == (state, set())
        assert f"sales_report {run.ref}" in page.text
        assert "Run it again" not in page.text and "The DAG is paused" not in page.text


def test_an_airflow_that_is_away_leaves_the_last_known_state(client_as, airflow, run):
    airflow.stop()
    health.check(run.dag.deployment)
    response = client_as("colleague").get(f"/runs/{run.ref}", headers=HTMX)
    page = Page(response)
    assert Deployment.objects.get(name="demo").state.status == "down"
    assert "Airflow has been unreachable since today" in page.text
    assert "This is the last known state." in page.text
    assert "queued" in page.text
    assert every(response) == "every 10s"


def test_a_run_that_waits_for_airflow_says_so(client_as, airflow):
    observe(status="down")
    made = actions.trigger(by=person("colleague"), dag=Dag.objects.get(dag_id="sales_report"), conf={})
    text = Page(client_as("colleague").get(f"/runs/{made.ref}")).text
    assert "being sent to Airflow" in text
    assert "Gatehouse continues when Airflow answers." in text


def test_without_javascript_there_is_a_link_and_the_page_comes_again(client_as, airflow, run):
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    assert f"/runs/{run.ref}" in page.links
    assert page.all("meta", **{"http-equiv": "refresh"})[0]["content"] == f"2; url=/runs/{run.ref}"
    airflow.set_run_states("success")
    look(run)
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    assert "succeeded" in page.text
    assert page.all("meta", **{"http-equiv": "refresh"})[0]["content"] == f"30; url=/runs/{run.ref}"


@pytest.mark.parametrize(("age", "seconds"), [(30, 2), (120, 5), (3600, 15)])
def test_old_runs_are_asked_for_less_often(run, age, seconds):
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(seconds=age))
    run.refresh_from_db()
    assert run_view.RunView(run).look_again == seconds


def test_the_usual_time_is_the_middle_of_the_successful_runs(run):
    now = timezone.now()
    times = [(10, "success"), (20, "success"), (90, "success"), (900, "failed")]
    state = run.dag.state
    state.last_runs = [
        {
            "id": "r",
            "state": outcome,
            "started_at": now.isoformat(),
            "ended_at": (now + timedelta(seconds=took)).isoformat(),
        }
        for took, outcome in times
    ]
    state.save(update_fields=["last_runs"])
    assert run_view.RunView(run).usual == timedelta(seconds=20)
    state.last_runs = state.last_runs[:2]
    state.save(update_fields=["last_runs"])
    assert run_view.RunView(run).usual is None
