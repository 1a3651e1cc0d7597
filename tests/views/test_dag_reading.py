"""The page of a DAG while the worker has not read it yet, or has found it missing. The page asks Gatehouse alone."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.dags import observing
from portal.dags.models import DagState
from portal.worker import runs
from tests.views.pages import Page
from tests.views.test_dags import HTMX, SALES, dag

pytestmark = pytest.mark.usefixtures("airflow")


def test_what_the_worker_read_long_ago_is_shown_with_its_time(client_as, airflow):
    DagState.objects.filter(dag=dag()).update(seen_at=timezone.now() - timedelta(minutes=3))
    before = len(airflow.requests)
    page = Page(client_as("colleague").get(SALES, {"view": "json"}))
    assert "one of KR, APAC, EU" in page.text
    assert "Read from Airflow 3 minutes ago" in page.text
    assert len(airflow.requests) == before


def test_a_dag_that_is_not_read_yet_is_waited_for(client_as, airflow):
    """The page asks Gatehouse again until the worker has read the DAG; Airflow is not asked by it."""
    DagState.objects.all().delete()
    client, before = client_as("colleague"), len(airflow.requests)
    page = Page(client.get(SALES))
    assert f"{SALES}/runs" in page.actions  # without JavaScript, the form is there at once
    assert f"{SALES}?enter=1#run" in page.links
    run = page.all("div", id="run")[0]
    assert (run["hx-get"], run["hx-trigger"]) == (SALES, "every 2s")
    part = {"headers": {**HTMX, "HX-Target": "run"}}
    assert 'hx-trigger="every 2s"' in client.get(SALES, **part).content.decode()
    assert len(airflow.requests) == before
    runs.read_dag(dag())
    shown = client.get(SALES, **part).content.decode()
    assert "every 2s" not in shown and 'name="param:region"' in shown


def test_a_dag_that_airflow_does_not_have_yet_is_looked_for_while_its_page_is_open(client_as, airflow):
    """It was read before Airflow had parsed its file: the page comes by the form with its defaults in seconds."""
    known = airflow.state.dags.pop("sales_report")
    DagState.objects.filter(dag=dag()).delete()
    runs.read_dag(dag())
    page = Page(client_as("colleague").get(SALES))
    assert "reads this DAG from Airflow again every few seconds" in page.text
    assert page.all("div", id="run")[0]["hx-trigger"] == "every 2s"
    airflow.state.dags["sales_report"] = known
    observing.want(dag().pk)
    assert dag() not in runs.due_dags(), "it was read at this moment"
    with time_machine.travel(timezone.now() + timedelta(seconds=4)):
        assert [one.dag_id for one in runs.due_dags()] == ["sales_report"]
    runs.read_dag(dag())
    page = Page(client_as("colleague").get(SALES))
    assert "hx-get" not in page.all("div", id="run")[0]
    assert page.all("input", name="param:region")


def test_nobody_has_to_wait_for_the_parameters(client_as):
    DagState.objects.all().delete()
    page = Page(client_as("colleague").get(SALES, {"enter": "1"}))
    assert "hx-get" not in page.all("div", id="run")[0]
    assert "has not read this DAG from Airflow yet. The parameters of this DAG cannot be shown now." in page.text
    assert page.all("div", id="params")[0]["hx-get"] == SALES
    assert f"{SALES}/runs" in page.actions
