"""Every address x every person: allowed, refused or not found. And rules that hold for every page."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoDbBlocker

from accounts import roles
from accounts.models import User
from portal.airflow import clients
from portal.audit.models import AuditEvent
from tests.factories import NAMES, SECRETS, fake_airflow, look_at_all, look_at_dags, offer, people, request_at_status
from tests.fake_airflow import FakeAirflow
from tests.guards.addresses import EVERYBODY, PAGES, ROLES, Address, patterns
from tests.guards.test_acting import rows
from tests.guards.test_templates import FETCHED, INLINE, SCRIPT
from tests.guards.world import SECRET, url_of, world

DONE = (302, 409, 422)


def named(choose: Callable[[Address], object] = lambda page: True) -> pytest.MarkDecorator:
    """Run the test for every address that `choose` accepts."""
    return pytest.mark.parametrize(
        "name, page", [pytest.param(name, page, id=name) for name, page in PAGES.items() if choose(page)]
    )


@pytest.fixture(scope="module")
def made(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[FakeAirflow, dict[str, list[Any]]]]:
    """The Airflow and the world, created once. Each test runs in a savepoint of this transaction and is rolled back."""
    all_in_one = transaction.atomic()
    all_in_one._from_testcase = True  # Django marks the transactions of tests with this
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch, fake_airflow() as fake, all_in_one:
        for name, value in SECRETS.items():
            patch.setenv(name, value)
        cast = people()
        offer(tmp_path_factory.mktemp("catalogue"), url=fake.url)
        look_at_all()
        look_at_dags()
        yield fake, world(cast)
        transaction.set_rollback(True)
    clients.close_all()


@pytest.fixture
def airflow(made: tuple[FakeAirflow, dict[str, list[Any]]], db: None) -> FakeAirflow:
    return made[0]


@pytest.fixture
def things(made: tuple[FakeAirflow, dict[str, list[Any]]], db: None) -> dict[str, list[Any]]:
    return made[1]


@pytest.fixture
def cast(things: dict[str, list[Any]]) -> dict[str, User]:
    return {user.username: user for user in User.objects.filter(username__in=NAMES)}


def ask(client: Client, name: str, page: Address, things, *, post: bool = False, **headers: str):
    url = url_of(name, page.of, things)
    if post:
        return client.post(url, page.data, headers=headers)
    return client.get(url + page.query, headers=headers)


def body_of(response) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode()


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Roll back all changes inside the block."""
    before = transaction.savepoint()
    yield
    transaction.savepoint_rollback(before)


# --- the table itself ------------------------------------------------------------------------------------------------
def test_every_address_is_in_the_table():
    assert {pattern.name for _, pattern in patterns()} == set(PAGES)


def test_every_view_asks_for_the_permission_of_the_table():
    asked = {pattern.name: getattr(pattern.callback, "permission", None) for _, pattern in patterns()}
    assert asked == {name: page.permission for name, page in PAGES.items()}


def test_a_view_is_guarded_or_listed_as_public():
    for route, pattern in patterns():
        view = pattern.callback
        assert hasattr(view, "permission") != getattr(view, "public", False), f"{route} is neither guarded nor public"


def test_the_cast_has_the_roles_of_the_table(cast):
    assert {name: set(roles.roles_of(person)) for name, person in cast.items()} == ROLES


# --- every address x every person ------------------------------------------------------------------------------------
def expected_get(page: Address, name: str) -> int:
    if name not in page.let_in():
        return 403
    return 200 if name in page.sees else 404


@named(lambda page: page.get and page.permission)
def test_who_may_look(things, client_as, name, page):
    for person in NAMES:
        response = ask(client_as(person), name, page, things)
        assert response.status_code == expected_get(page, person), f"{person} at {name}"
        text = body_of(response)
        if response.status_code != 200:
            assert SECRET not in text, f"{person} reads at {name} what is not theirs"


@named(lambda page: page.post is not None and page.permission)
def test_who_may_act(things, client_as, name, page):
    for person in NAMES:
        with undone():
            response = ask(client_as(person), name, page, things, post=True)
        if person not in page.let_in():
            expected: tuple[int, ...] = (403,)
        elif person not in page.sees:
            expected = (404,)
        else:
            expected = (*DONE, 200) if person in page.post else (403,)
        assert response.status_code in expected, f"{person} at {name}: {response.status_code}, not {expected}"
        if expected != (*DONE, 200):
            assert SECRET not in response.content.decode() or person in page.sees, f"{person} reads at {name}"


class OnItsWay(io.BytesIO):
    """A form whose body is read after a change: `meanwhile` is called before the first byte is read."""

    def __init__(self, data: dict[str, str], meanwhile: Callable[[], object]) -> None:
        super().__init__(urlencode(data).encode())
        self.meanwhile: Callable[[], object] | None = meanwhile

    def read(self, *size: int) -> bytes:
        if self.meanwhile:
            self.meanwhile()
            self.meanwhile = None
        return super().read(*size)

    def environ(self, url: str) -> dict[str, Any]:
        sent = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "CONTENT_LENGTH": str(len(self.getvalue()))}
        return {"REQUEST_METHOD": "POST", "PATH_INFO": url, "wsgi.input": self, **sent}


@named(lambda page: page.post is not None and page.permission)
@pytest.mark.parametrize("change", [{"is_active": False}, {"sessions_ended": 7}], ids=["deactivated", "signed out"])
def test_a_form_on_its_way_does_nothing_for_somebody_who_is_let_go_meanwhile(things, client_as, name, page, change):
    who = sorted(page.post)[0]
    person = User.objects.filter(username=who)
    form = OnItsWay({"sent": "now", **page.data}, lambda: person.update(**change))
    with undone():
        client = client_as(who)
        before = rows()
        response = client.request(**form.environ(url_of(name, page.of, things)))
        assert response.status_code in (302, 403, 409, 422, 200 if name == "dag_form" else 302)  # it changes nothing
        if form.meanwhile is None:  # some views need no body
            assert not person.filter(is_active=True, sessions_ended=0), "the change was overwritten"
            person.update(is_active=True, sessions_ended=0)
            assert rows() == before


@pytest.mark.parametrize("name", ["request_approve", "request_deny", "request_return"])
@pytest.mark.parametrize("asked_by, asked_for", [("lead", "lead"), ("lead", "colleague"), ("colleague", "lead")])
def test_nobody_decides_their_own(airflow, client_as, name, asked_by, asked_for):
    """Neither a request that one made nor one for oneself, on any page."""
    request = request_at_status("pending", by=asked_by, beneficiary=asked_for)
    response = client_as("lead").post(reverse(name, args=[request.ref]), {"comment": "no"})
    assert response.status_code == 403
    assert "Someone else must decide" in response.content.decode()
    request.refresh_from_db()
    assert request.status == "pending"


def test_who_decides_another_step_does_not_decide_this_one(airflow, client_as):
    request = request_at_status("pending", entitlement="demo/role/Op")  # step 1: a lead, step 2: security
    response = client_as("security").post(reverse("request_approve", args=[request.ref]))
    assert response.status_code == 403
    request.refresh_from_db()
    assert not request.decisions.exists()


@named(lambda page: page.permission)
@pytest.mark.parametrize("signed_in", ["nobody", "somebody who left"])
def test_without_signing_in_there_is_only_the_way_to_the_login(things, cast, client_as, name, page, signed_in):
    client = Client()
    if signed_in != "nobody":
        client = client_as("admin")
        cast["admin"].is_active = False
        cast["admin"].save(update_fields=["is_active"])
    response = ask(client, name, page, things, post=not page.get)
    assert response.status_code == 302
    target = urlsplit(response["Location"])
    assert target.path == "/login"
    if page.get:
        assert parse_qs(target.query)["next"] == [url_of(name, page.of, things) + page.query]
    part = ask(client, name, page, things, post=not page.get, hx_request="true")
    assert (part.status_code, urlsplit(part["HX-Redirect"]).path) == (401, "/login")
    assert not part.content


@named(lambda page: not page.permission and page.get)
def test_what_is_public_answers_everybody(things, client_as, name, page):
    # no worker runs in this test, so Gatehouse is not ready; everybody may read that
    expected = (503,) if name == "health_ready" else (200, 302)
    for person in ["", "stranger"]:
        assert ask(client_as(person), name, page, things).status_code in expected


@named(lambda page: page.get)
def test_head_is_answered_like_get_but_where_get_writes_an_event(things, client_as, name, page):
    client = client_as("admin" if "admin" in page.let_in() else "lead")
    url = url_of(name, page.of, things) + page.query
    before = AuditEvent.objects.count()
    asked = client.head(url)
    assert AuditEvent.objects.count() == before
    if name == "audit_export":
        assert asked.status_code == 405
        return
    told = client.get(url)
    assert (asked.status_code, body_of(asked)) == (told.status_code, "")
    assert asked.get("Content-Type") == told.get("Content-Type")


@named(lambda page: page.permission)
def test_an_address_takes_no_other_method(things, client_as, name, page):
    url = url_of(name, page.of, things)
    for person in ("colleague", "lead", "admin"):
        client = client_as(person)
        wrong = ["put", "patch", "delete"] + (["post"] if page.post is None else [])
        for method in wrong:
            status = getattr(client, method)(url).status_code
            assert status == 405 or (status == 403 and person not in page.let_in()), f"{method} {url} by {person}"


@named(lambda page: not page.get)
def test_an_address_that_only_acts_shows_its_page_when_it_is_loaded(things, client_as, name, page):
    """The browser keeps the address of a refused form, so it may be loaded with GET. This changes nothing."""
    before = AuditEvent.objects.count()
    for person in sorted(page.post & page.sees):
        response = ask(client_as(person), name, page, things)
        assert response.status_code == 302, f"{person} at {name}"
        shown = client_as(person).get(response["Location"])
        assert shown.status_code == 200, f"{person} at {response['Location']}"
    assert AuditEvent.objects.count() == before


def test_who_is_refused_at_a_door_is_in_the_trail(things, client_as):
    client_as("employee").get("/audit")
    event = AuditEvent.objects.first()
    assert (event.actor, event.verb, event.target) == ("employee", "page.view_refused", "/audit")
    assert event.outcome == AuditEvent.Outcome.REFUSED


@named(lambda page: page.of)
def test_what_does_not_exist_is_simply_not_there(things, client_as, name, page):
    person = {"DECIDE": "lead", "REPAIR": "admin", "SEE_DEPLOYMENTS": "admin"}.get(page.permission.name, "colleague")
    client = client_as(person)
    url = url_of(name, page.of, {page.of: ["demo", "NONSENSE"] if page.of in ("dag", "variable") else ["NONSENSE"]})
    for nonsense in ("0", "999999", "-1", "9" * 400, "REQ-", "x", "REQ-1%00", "%20", "OP-1", "%D9%A3"):
        response = (client.get if page.get else client.post)(url.replace("NONSENSE", nonsense))
        assert response.status_code == 404, f"{nonsense!r} at {name}: {response.status_code}"


# --- every page as it must be ----------------------------------------------------------------------------------------
class Shape(HTMLParser):
    """Finds forms without a CSRF token, duplicate ids, images without alt and links without href."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.ids: set[str] = set()
        self.form: dict[str, str | None] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if (name := given.get("id")) is not None:
            if name in self.ids:
                self.wrong.append(f"two elements are called #{name}")
            self.ids.add(name)
        if tag == "form":
            self.form = given
            self.token = False
        if tag == "input" and given.get("name") == "csrfmiddlewaretoken":
            self.token = True
        if tag == "img" and given.get("alt") is None:
            self.wrong.append("an img without alt")
        if tag == "a" and not given.get("href"):
            self.wrong.append("a link without an address")
        sent_to = given.get("action") or given.get("formaction") or ""
        if tag in ("form", "button") and re.match(r"(https?:)?//", sent_to):
            self.wrong.append(f"a {tag} that sends elsewhere")
        self.wrong += [f"{name} on {tag}" for name in given if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.form is not None:
            if (self.form.get("method") or "get").lower() == "post" and not self.token:
                self.wrong.append(f"a form to {self.form.get('action')} without its token")
            self.form = None


def check_shape(text: str) -> list[str]:
    shape = Shape()
    shape.feed(text)
    return shape.wrong + [match[0] for pattern in (INLINE, SCRIPT, FETCHED) for match in pattern.finditer(text)]


@named(lambda page: page.get)
def test_every_rendered_page_keeps_the_content_policy_and_its_forms_their_token(things, client_as, name, page):
    for person in ("", *NAMES):
        response = ask(client_as(person), name, page, things)
        policy = response["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
        assert response["X-Content-Type-Options"] == "nosniff" and response["X-Frame-Options"] == "DENY"
        if response["Content-Type"].startswith("text/html"):
            assert not check_shape(body_of(response)), f"{name} as {person or 'nobody'} sees it"


@named(lambda page: page.post is not None)
def test_nothing_is_done_for_a_form_from_elsewhere(things, client_as, name, page):
    done = AuditEvent.objects.exclude(verb="call.make_refused")
    before = done.count()
    for person in ("employee", "colleague", "lead", "admin"):
        client = client_as(person, enforce_csrf_checks=True)
        response = ask(client, name, page, things, post=True)
        assert response.status_code == 403 and "no longer valid" in response.content.decode(), f"{person} at {name}"
    assert done.count() == before


def test_the_guard_of_shapes_sees_what_it_looks_for():
    assert check_shape('<form method="post" action="/x"></form>')
    assert check_shape('<p id="a"></p><p id="a"></p>')
    assert check_shape("<form action='https://elsewhere.example.com'></form>")
    assert not check_shape('<form method="post"><input name="csrfmiddlewaretoken"></form>')


def test_everybody_in_the_table_is_one_of_the_cast():
    assert set(ROLES) == EVERYBODY
