"""The list of DAGs: search, tags, pages, what a row says; and the admins' page of entries."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.airflow import listings
from portal.airflow.models import DagListing, ListedDag
from portal.catalogue.models import Dag, Deployment
from portal.core import clock
from portal.dags.models import DagState
from portal.web.dags import dag_list, schedules
from tests.factories import CATALOGUE, offer
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")


def many(count, prefix="many"):
    deployment = Deployment.objects.get()
    columns = {"actions": ["trigger"], "who": ["group:data"]}
    dags = Dag.objects.bulk_create(
        Dag(deployment=deployment, dag_id=f"{prefix}_{number:03}", **columns) for number in range(count)
    )
    DagState.objects.bulk_create(DagState(dag=dag, known=True, seen_at=clock.now(), tags=["many"]) for dag in dags)


def listed(client, **query):
    page = Page(client.get("/dags", query))
    names = [link.rpartition("/")[2] for link in page.links if link.startswith("/dags/demo/") and "#" not in link]
    return page, sorted(names)


@pytest.mark.parametrize("q", ["sales", "FINANCE", "data", "Sales figures", "demo critical"])
def test_the_search_finds_names_tags_owners_descriptions_and_deployments(client_as, q):
    DagState.objects.filter(dag__dag_id="sales_report").update(description="Sales figures by region", tags=["sales"])
    found = {
        "sales": ["sales_report"],
        "FINANCE": ["payroll_close"],
        "data": ["every_param", "flaky_import", "warehouse_backup"],
        "Sales figures": ["sales_report"],
        "demo critical": ["payroll_close"],
    }
    assert listed(client_as("colleague"), q=q)[1] == found[q]


def test_a_tag_is_a_filter_that_keeps_the_search(client_as):
    client = client_as("colleague")
    page, names = listed(client)
    assert "/dags?tag=finance" in page.links
    page, names = listed(client, tag="finance", q="pay")
    assert names == ["payroll_close"]
    assert "/dags?q=pay" in page.links, "back to all tags"
    assert "1 DAG with the tag “finance” matching “pay”" in page.text
    page, names = listed(client, tag="nope")
    assert "No DAG has the tag “nope”" in page.text


def test_pages_of_many_dags_show_each_once(client_as):
    many(2 * dag_list.SIZE)
    client, address, found = client_as("colleague"), "/dags", []
    while address:
        page = Page(client.get(address))
        found += [link for link in page.links if link.startswith("/dags/demo/") and "#" not in link]
        address = next((link["href"] for link in page.all("a", rel="next")), "")
    assert len(found) == len(set(found)) == 2 * dag_list.SIZE + 5


def test_a_page_costs_the_same_however_many_dags_there_are(client_as):
    client = client_as("colleague")
    many(dag_list.SIZE)
    client.get("/dags")  # later calls read nothing about the session anew
    with CaptureQueriesContext(connection) as few:
        client.get("/dags")
    many(200, prefix="more")
    with CaptureQueriesContext(connection) as told:
        client.get("/dags")
    assert len(told) == len(few)


@pytest.mark.parametrize("after", ["x", "WyJkYWdzIiw5OTk5OTld", "WyJxdWV1ZSIsMV0"])
def test_a_wrong_cursor_is_not_found(client_as, after):
    assert client_as("colleague").get("/dags", {"after": after}).status_code == 404


def test_what_a_row_says(client_as):
    states = DagState.objects.filter(dag__dag_id="sales_report")
    states.update(
        tags=["sales"],
        owners=["sales-team"],
        schedule="30 5 * * 1",
        next_run_at=datetime(2027, 1, 4, 5, 30, tzinfo=UTC),
    )
    page, _ = listed(client_as("colleague"), q="sales_report")
    assert "Owner: sales-team" in page.text
    assert "Runs every Monday at 05:30, next Mon 4 Jan" in page.text
    assert "group sales at once; group data after an approval" in page.text
    assert f"{Deployment.objects.get().url}/dags/sales_report" in page.links
    states.update(paused=True)
    page, _ = listed(client_as("colleague"), q="sales_report")
    assert "Runs every Monday at 05:30 when it is not paused" in page.text


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("@daily", "every day at 00:00"),
        ("*/15 * * * *", "every 15 minutes"),
        ("5 * * * *", "every hour at minute 5"),
        ("0 */6 * * *", "every 6 hours at minute 0"),
        ("0 5 * * *", "every day at 05:00"),
        ("30 7 * * 1-5", "Monday to Friday at 07:30"),
        ("0 5 * * 0", "every Sunday at 05:00"),
        ("0 2 15 * *", "on day 15 of every month at 02:00"),
        ("0 2 15 * 1", "0 2 15 * 1"),
        ("0 2 1 3 *", "0 2 1 3 *"),
        ("0 5,17 * * *", "0 5,17 * * *"),
        ("1 day, 0:00:00", "1 day, 0:00:00"),
        ("0 5 * * 9", "0 5 * * 9"),
    ],
)
def test_schedules_in_words(schedule, said):
    assert schedules.in_words(schedule) == said


# --- the page of entries ---------------------------------------------------------------------------------------------
ENTRIES = """
[[dags]]
deployment = "demo"
dag = "many_*"
actions = ["trigger"]
who = ["group:sales"]
one_at_a_time = true
freeze = [{ from = "2026-12-24", until = "2027-01-02", why = "year-end close" }]
"""


def test_admins_see_what_each_entry_covers(client_as, airflow, tmp_path):
    for model in (DagListing, ListedDag):
        model.objects.all().delete()
    offer(tmp_path, url=airflow.url, source=CATALOGUE.read_text() + ENTRIES)
    page = Page(client_as("admin").get("/deployments/demo/dags"))
    assert "Airflow's list of DAGs has not been read yet" in page.text
    deployment = Deployment.objects.get()
    listings.store(deployment, {"many_1": [], "many_2": [], "other": [], "a/b": []}, asked_at=clock.now())
    page = Page(client_as("admin").get("/deployments/demo/dags"))
    assert "many_* glob 2 DAGs" in page.text
    assert "many_1 many_2" in page.text
    assert "One run at a time" in page.text
    assert "year-end close" in page.text
    assert "In Airflow, but not offered 1 DAG other" in page.text
    assert "Cannot be offered 1 DAG" in page.text
    DagListing.objects.update(problem="demo answered 500")
    page = Page(client_as("admin").get("/deployments/demo/dags"))
    assert "could not be read. What globs and tags cover stays as it is. demo answered 500" in page.text
    assert "/deployments/demo/dags" in Page(client_as("admin").get("/deployments")).links


def test_a_read_only_airflow_is_said_on_every_page(client_as):
    Deployment.objects.update(read_only=True)
    assert (
        "Airflow on demo is read-only: Gatehouse changes nothing there now."
        in Page(client_as("employee").get("/")).text
    )
