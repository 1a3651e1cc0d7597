"""The worker reads the lists of DAGs for globs and tags: when, from which deployment, and what a failure changes."""

from datetime import timedelta

import pytest
import time_machine

from portal.airflow import listings
from portal.airflow.models import DagListing
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.queries import dags_in_force
from portal.core import clock
from portal.dags.models import DagState
from portal.worker import runs
from portal.worker.polling import Poller
from tests.factories import CATALOGUE, observe, offer
from tests.fake_airflow import FakeDag

GLOB = '\n[[dags]]\ndeployment = "demo"\ndag = "stock_*"\nactions = ["trigger"]\nwho = ["group:data"]\n'


@pytest.fixture
def globbed(airflow, tmp_path):
    """A fake Airflow whose catalogue has a glob."""
    offer(tmp_path, url=airflow.url, source=CATALOGUE.read_text() + GLOB)
    observe(status="up", checked_at=clock.now())
    DagListing.objects.all().delete()
    return airflow


def add(airflow, name):
    airflow.state.dags[name] = FakeDag(name)


def visit():
    poller = Poller()
    for deployment in poller._due():
        poller.visit(deployment)


def stock():
    return sorted(dags_in_force().filter(dag_id__startswith="stock_").values_list("dag_id", flat=True))


def test_without_entries_no_list_is_read(airflow, tmp_path):
    text = CATALOGUE.read_text()
    offer(tmp_path, url=airflow.url, source=text[: text.index("[[dags]]")])
    observe(status="up")
    assert listings.due() == []


@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"])
def test_owners_are_known_from_the_list(airflow):
    airflow.state.dags["sales_report"].owner = "sales-team"
    runs.read_list(Deployment.objects.get())
    assert DagState.objects.get(dag__dag_id="sales_report").owners == ["sales-team"]


def test_of_many_dags_each_is_read_less_often(airflow):
    deployment = Deployment.objects.get()
    count = runs.MANY * 4
    dags = Dag.objects.bulk_create(
        Dag(deployment=deployment, dag_id=f"many_{number}", actions=["trigger"]) for number in range(count)
    )
    seen_at = clock.now()
    DagState.objects.bulk_create(DagState(dag=dag, known=True, seen_at=seen_at) for dag in dags)
    viewed = dags[7]
    DagState.objects.filter(dag=viewed).update(is_wanted=True)
    with time_machine.travel(seen_at + timedelta(seconds=60), tick=False):
        assert list(runs.due_dags()) == [viewed]
    with time_machine.travel(seen_at + timedelta(seconds=150), tick=False):
        assert runs.due_dags().count() >= count


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
