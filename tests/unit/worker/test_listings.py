"""The worker reads the lists of DAGs for globs and tags: when, from which deployment, and what a failure changes."""

from datetime import timedelta

import pytest
import time_machine

from portal.airflow import listings
from portal.airflow.models import DagListing
from portal.catalogue.models import Deployment
from portal.catalogue.queries import dags_in_force
from portal.core import clock
from portal.worker.polling import Poller
from tests.factories import CATALOGUE, observe, offer
from tests.fake_airflow import FakeDag

GLOB = '\n[[dags]]\ndeployment = "demo"\ndag = "stock_*"\nactions = ["trigger"]\nwho = ["group:data"]\n'


@pytest.fixture
def globbed(airflow, tmp_path):
    """A fake Airflow whose catalogue has a glob."""
    offer(tmp_path, url=airflow.url, source=CATALOGUE.read_text() + GLOB)
    observe(status="up", checked_at=clock.now())
    return airflow


def add(airflow, name):
    airflow.state.dags[name] = FakeDag(name)


def visit():
    poller = Poller()
    for deployment in poller._due():
        poller.visit(deployment)


def stock():
    return sorted(dags_in_force().filter(dag_id__startswith="stock_").values_list("dag_id", flat=True))


def test_without_globs_and_tags_no_list_is_read(airflow):
    assert listings.due() == []


def test_a_visit_reads_the_list_and_then_the_new_dag(globbed):
    add(globbed, "stock_eu")
    visit()
    assert stock() == ["stock_eu"]
    assert listings.due() == []
    visit()
    assert dags_in_force().get(dag_id="stock_eu").state.known
    add(globbed, "stock_kr")
    with time_machine.travel(clock.now() + timedelta(seconds=61), tick=False):
        [deployment] = listings.due()
        listings.read(deployment)
    assert stock() == ["stock_eu", "stock_kr"]


def test_a_list_that_cannot_be_read_changes_nothing_but_the_reason(globbed):
    add(globbed, "stock_eu")
    visit()
    add(globbed, "stock_kr")
    globbed.fail_next(r"GET .*/dags", "html")
    deployment = Deployment.objects.get()
    listings.read(deployment)
    assert stock() == ["stock_eu"]
    state = DagListing.objects.get()
    assert "asked for its DAGs" in state.problem
    assert state.read_at < state.tried_at
    listings.read(deployment)
    assert stock() == ["stock_eu", "stock_kr"]
    assert DagListing.objects.get().problem == ""


def test_two_names_of_one_airflow_are_read_once(globbed, tmp_path):
    text = CATALOGUE.read_text()
    twin = text[: text.index("[groups.data]")].replace("deployments.demo", "deployments.twin")
    source = twin + text[text.index("[deployments.demo]") :] + GLOB + GLOB.replace('"demo"', '"twin"')
    offer(tmp_path, url=globbed.url, source=source)
    observe(status="up", checked_at=clock.now())
    [deployment] = listings.due()
    add(globbed, "stock_eu")
    listings.read(deployment)
    assert stock() == ["stock_eu", "stock_eu"]
    assert listings.due() == []
