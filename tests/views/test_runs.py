"""A run's page: the state as Airflow has it, followed for as long as it lasts."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.catalogue.models import Dag, Deployment
from portal.dags import actions
from portal.dags.models import Run
from portal.web import run_view
from portal.worker import health, runs
from tests.factories import person, work_off
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


def test_the_page_says_all_of_the_run(client_as, run):
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    for words in ("sales_report on demo", "colleague asked for this run", '"region": "EU"', "for the board", run.ref):
        assert words in page.text
    assert run.dag_run_id in page.text
    assert f"{run.dag.deployment.url}/dags/sales_report/runs/{run.dag_run_id}" in page.links


def test_airflow_2_has_other_addresses(run):
    run.dag.deployment.api = "v1"
    address = run_view.last_known(run).airflow_url
    assert address == f"{run.dag.deployment.url}/dags/sales_report/grid?dag_run_id={run.dag_run_id}"


@pytest.mark.parametrize(("who", "status"), [("colleague", 200), ("lead", 200), ("auditor", 200), ("stranger", 404)])
def test_who_may_see_it(client_as, run, who, status):
    assert client_as(who).get(f"/runs/{run.ref}").status_code == status


@pytest.mark.parametrize("name", ["RUN-999", "REQ-1", "RUN-x"])
def test_what_is_not_there_is_a_404(client_as, name):
    assert client_as("colleague").get(f"/runs/{name}").status_code == 404


def test_the_page_itself_does_not_wait_for_airflow(client_as, airflow, run):
    before = len(airflow.requests)
    response = client_as("colleague").get(f"/runs/{run.ref}")
    assert len(airflow.requests) == before
    assert every(response) == "load, every 2s"


def test_it_is_followed_until_it_is_over(client_as, airflow, run):
    client, address = client_as("colleague"), f"/runs/{run.ref}?was=queued"
    assert every(client.get(address, headers=HTMX)) == "every 2s"

    airflow.set_run_states("running")
    response = client.get(address, headers=HTMX)
    assert b"<html" not in response.content
    assert "running" in Page(response).text
    assert "The run is now running." in Page(response).text
    assert f'hx-get="/runs/{run.ref}?was=running"' in response.content.decode()
    assert Page(response).inputs_inside("live") == []

    airflow.set_run_states("success")
    response = client.get(f"/runs/{run.ref}?was=running", headers=HTMX)
    assert every(response) == ""
    assert "2 of 2 done" in Page(response).text
    assert "succeeded – Gatehouse" in response.content.decode()
    assert "Run it again" in Page(response).text
    run.refresh_from_db()
    assert run.status == "success"


def test_nothing_is_announced_while_nothing_changes(client_as, run):
    response = client_as("colleague").get(f"/runs/{run.ref}?was=queued", headers=HTMX)
    assert b"run-news" not in response.content


def test_a_failure_names_the_task(client_as, airflow, run):
    airflow.set_run_states("running")
    runs.follow()
    airflow.set_run_states("failed")
    response = client_as("colleague").get(f"/runs/{run.ref}", {"live": "1"})
    assert "publish failed." in Page(response).text
    assert "Run it again" in Page(response).text
    picture = Page(response).all("svg", **{"class": "task-bar space-above"})[0]
    assert picture["aria-label"] == "Tasks: 1 success, 1 failed"


def test_a_paused_dag_is_pointed_out(client_as, airflow, run):
    airflow.state.dags["sales_report"].paused = True
    runs.look_at_dag(run.dag)
    text = Page(client_as("colleague").get(f"/runs/{run.ref}")).text
    assert "The DAG is paused: the run stays queued until it is unpaused." in text


def test_an_airflow_that_is_away_leaves_the_last_known_state(client_as, airflow, run):
    airflow.stop()
    health.look_at(run.dag.deployment)
    response = client_as("colleague").get(f"/runs/{run.ref}", headers=HTMX)
    page = Page(response)
    assert Deployment.objects.get(name="demo").status == "down"
    assert "It is away since today" in page.text
    assert "This is the last known state; nothing is lost" in page.text
    assert "queued" in page.text
    assert every(response) == "every 10s"


def test_a_run_that_waits_for_airflow_says_so(client_as, airflow):
    Deployment.objects.update(status="down")
    made = actions.trigger(by=person("colleague"), dag=Dag.objects.get(dag_id="sales_report"), conf={})
    text = Page(client_as("colleague").get(f"/runs/{made.ref}")).text
    assert "being sent to Airflow" in text
    assert "It will be done as soon as Airflow is back." in text


def test_without_javascript_there_is_a_link_and_the_page_comes_again(client_as, airflow, run):
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    assert f"/runs/{run.ref}?live=1" in page.links
    assert page.all("meta", **{"http-equiv": "refresh"})[0]["content"] == f"5; url=/runs/{run.ref}?live=1"
    airflow.set_run_states("success")
    page = Page(client_as("colleague").get(f"/runs/{run.ref}", {"live": "1"}))
    assert "succeeded" in page.text
    assert page.all("meta", **{"http-equiv": "refresh"}) == []


@pytest.mark.parametrize(("age", "seconds"), [(30, 2), (120, 5), (3600, 15)])
def test_old_runs_are_asked_for_less_often(run, age, seconds):
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(seconds=age))
    run.refresh_from_db()
    assert run_view.last_known(run).look_again == seconds


def test_the_usual_time_is_the_middle_of_the_successful_runs(run):
    now = timezone.now()
    times = [(10, "success"), (20, "success"), (90, "success"), (900, "failed")]
    run.dag.state.last_runs = [
        {
            "id": "r",
            "state": state,
            "started_at": now.isoformat(),
            "ended_at": (now + timedelta(seconds=took)).isoformat(),
        }
        for took, state in times
    ]
    assert run_view.last_known(run).usual == timedelta(seconds=20)
    run.dag.state.last_runs = run.dag.state.last_runs[:2]
    assert run_view.last_known(run).usual is None
