"""What stands around every page, and what holds for all of them."""

import gzip
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from portal.approvals.models import Request, Stage, Waiting
from tests.factories import observe, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")

PAGES = ["/", "/requests", "/requests/new", "/requests/new?entitlement=demo/role/Op", "/access", "/profile", "/style"]
CSS = Path(__file__).parents[2] / "static" / "css"


@pytest.mark.parametrize(
    ("who", "there", "not_there"),
    [
        ("employee", {"/", "/requests/new", "/access", "/dags"}, {"/queue", "/audit", "/deployments"}),
        ("lead", {"/", "/queue", "/dags"}, {"/audit", "/deployments"}),
        ("auditor", {"/audit", "/deployments"}, {"/queue"}),
        ("admin", {"/audit", "/deployments"}, {"/queue"}),
    ],
)
def test_the_places_one_may_go_and_no_others(client_as, who, there, not_there):
    links = Page(client_as(who).get("/profile")).links
    assert there <= links
    assert not (not_there & links)


def test_the_bar_of_a_phone_has_four_places(client_as):
    for who, places in (
        ("employee", ["/", "/requests/new", "/dags", "/access"]),
        ("lead", ["/", "/queue", "/requests/new", "/access"]),
        ("auditor", ["/", "/audit", "/deployments", "/access"]),
        ("admin", ["/", "/audit", "/deployments", "/access"]),
    ):
        html = client_as(who).get("/").content.decode()
        bar = html.partition('<nav class="bar"')[2].partition("</nav>")[0]
        found = re.findall(r'href="([^"]+)"', bar)
        assert found == places


def test_the_queue_shows_how_many_wait(client_as):
    client = client_as("lead")
    assert "waiting for you" not in Page(client.get("/profile")).text
    request_at_status("pending")
    assert "Queue 1 waiting for you" in Page(client.get("/profile")).text


def test_the_queue_counts_up_to_99(client_as):
    made = request_at_status("pending")
    columns = {name: value for name, value in vars(made.request_ptr).items() if name not in ("_state", "id", "about")}
    copies = Request.objects.bulk_create(Request(**columns, about=f"demo/role/{number}") for number in range(99))
    waiting = {"stage": made.stages.get(), "created_at": made.created_at, "lapses_at": made.lapses_at, "risk": "low"}
    rows = []
    for copy in copies:
        stage = Stage.objects.create(request=copy, number=1, status="open")
        rows.append(Waiting(**{**waiting, "stage": stage}, request=copy, principal="group:data-leads"))
    Waiting.objects.bulk_create(rows[:98])
    client = client_as("lead")
    assert "Queue 99 waiting for you" in Page(client.get("/profile")).text
    rows[98].save()
    assert "Queue 99+ waiting for you" in Page(client.get("/profile")).text


def test_one_place_is_marked_as_current(client_as):
    page = Page(client_as("employee").get("/access"))
    assert {given["href"] for given in page.all("a", **{"aria-current": "page"})} >= {"/access"}
    assert not page.all("a", href="/", **{"aria-current": "page"})


@pytest.mark.parametrize(
    ("status", "said"), [("down", "is unreachable since"), ("needs_reauthentication", "refuses Gatehouse's account")]
)
def test_a_deployment_in_trouble_is_named_on_every_page(client_as, status, said):
    observe(status=status, status_since=timezone.now() - timedelta(minutes=5))
    page = Page(client_as("employee").get("/profile"))
    assert f"Airflow on demo {said}" in page.text
    assert said not in Page(client_as("").get("/login")).text


@pytest.mark.parametrize("address", PAGES)
def test_every_page_has_one_heading_a_main_part_and_labelled_fields(client_as, address):
    page = Page(client_as("employee").get(address))
    assert len(page.all("h1")) == 1
    assert len(page.all("main", id="main")) == 1
    labelled = {given.get("for") for given in page.all("label")}
    for name, given, _ in page.tags:
        if name in ("select", "textarea") or (name == "input" and given.get("type") in ("text", "search", "number")):
            assert given.get("id") in labelled, f"{address}: {given} has no label"
    ids = [given["id"] for _, given, _ in page.tags if given.get("id")]
    assert len(ids) == len(set(ids)), f"{address}: {sorted(i for i in ids if ids.count(i) > 1)} more than once"


@pytest.mark.parametrize("address", ["/requests?show=all", "/access", "/requests/new", "/queue"])
def test_more_rows_cost_no_more_queries(client_as, address):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address).status_code == 200
        return len(queries)

    def add() -> None:
        request_at_status("withdrawn", by="lead")
        # what is granted at once adds up to at most the longest time: short ones, so that all four fit in it
        request_at_status("approved", by="lead", entitlement="demo/role/Viewer", duration=timedelta(hours=1))

    client = client_as("lead")
    add()
    request_at_status("pending", by="employee")
    few = cost()
    for _ in range(3):
        add()
    request_at_status("pending", by="colleague")
    request_at_status("pending", by="lead2")
    assert cost() == few


def test_the_first_visit_weighs_less_than_60_kb(client_as):
    for n in range(3):
        request_at_status("withdrawn", reason=f"reason {n}")
    response = client_as("employee").get("/")
    sent = [response.content]
    html = response.content.decode()
    assets = {path.removeprefix("/static/") for path in re.findall(r'(?:src|href)="(/static/[^"]+)"', html)}
    assets |= {f"css/{path.name}" for path in CSS.glob("*.css")}
    sent += [Path(finders.find(name)).read_bytes() for name in assets]
    weight = sum(len(gzip.compress(part)) for part in sent)
    assert len(assets) >= 9
    assert weight < 60_000, f"{weight} bytes"


def test_a_part_brings_nothing_of_the_frame(client_as):
    observe(status="down", status_since=timezone.now())
    response = client_as("lead").get("/requests/new", headers={"HX-Request": "true"})
    assert "unreachable" not in response.content.decode()


def test_alive_and_ready_need_no_sign_in(client_as):
    assert client_as("").get("/health/live").json() == {"status": "ok"}
    assert client_as("").get("/health/ready").json()["database"] == "ok"
