"""Fixtures for all tests. The cast, the catalogue in force, a fake Airflow behind it, and people's browsers.

What a test asks for, most specific first:

    airflow            the verified fake that the deployment `demo` speaks to, known to be up; brings `catalogue`
    catalogue          the demo's catalogue in force (by `catalogue apply`); brings `cast`
    cast, employee ... the people of tests/factories.py
    client_as          client_as("lead") is a Django client signed in as lead
    room               operation kinds of a room that only tests have (tests/room.py)
    broken_trail       from here on the database refuses every audit event
    postgres_url, redis_url   a real server, started once per session
"""

from __future__ import annotations

import gc
import os
import shutil
import socket
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from django.template.base import FilterExpression
from django.test import Client, TransactionTestCase

import airflow_bridge.http
import airflow_bridge.limits
from accounts import token_refusals
from accounts.models import User
from portal.airflow import clients
from portal.catalogue.models import CatalogueVersion
from portal.core import clock
from tests import factories, services, trail
from tests.fake_airflow import FakeAirflow
from tests.room import Thing, registered
from tests.stored import Found, Offered

hypothesis.settings.register_profile("gatehouse", deadline=None)
hypothesis.settings.load_profile("gatehouse")

if TYPE_CHECKING:
    from tests.real_airflow import RealAirflow, RealAirflows

LOOPBACK = ("127.0.0.1", "::1", "localhost")


# --- the ground rules ------------------------------------------------------------------------------------------------
_connect = socket.socket.connect


def _connect_here(self: socket.socket, address: object) -> None:
    """No test leaves this machine."""
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in LOOPBACK:  # type: ignore[index]
        raise AssertionError(f"a test tried to reach {address}, which is not this machine")
    _connect(self, address)  # type: ignore[arg-type]


socket.socket.connect = _connect_here  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def _clock_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests travel by the host's clock, also where the database has one of its own (tests/unit/test_clock.py)."""
    monkeypatch.setattr(clock, "has_own_clock", lambda: False)


@pytest.fixture(autouse=True)
def _refused_tokens_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a web process counts in memory begins anew."""
    monkeypatch.setattr(token_refusals, "_kept", {})


@pytest.fixture(autouse=True)
def _limits_of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fake Airflow may get the port of an earlier one, which wanted no calls for a while."""
    monkeypatch.setattr(airflow_bridge.limits, "_gates", weakref.WeakValueDictionary())


@pytest.fixture(autouse=True, scope="session")
def _what_is_undefined_is_false(_fail_for_invalid_template_variable: None) -> None:
    """A relation without a row is false in `{% if %}`, as it is without --fail-on-template-vars."""
    invalid = settings.TEMPLATES[0]["OPTIONS"].get("string_if_invalid")
    if invalid:
        # Django looks whether it is true before it asks it to say what is undefined
        asked_by_django = FilterExpression.resolve.__code__
        type(invalid).__bool__ = lambda self: sys._getframe(1).f_code is asked_by_django


def missing(what: str) -> None:
    """Skip for want of `what`; where everything must run (CI=true), fail instead."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"not run: {what} is missing")
    pytest.skip(f"not run: {what} is missing")


@pytest.fixture(autouse=True)
def _only_on_postgres(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("postgres") and connection.vendor != "postgresql":
        pytest.skip("for PostgreSQL: python -m tests.services postgres -- pytest ...")


# --- the database ----------------------------------------------------------------------------------------------------
# Tests with real transactions end with Django emptying every table, which the trail's own triggers rightly refuse.
_empty_tables = TransactionTestCase._fixture_teardown


def _empty_tables_and_trail(self: TransactionTestCase) -> None:
    with trail.triggers_off():
        _empty_tables(self)
    trail.seed()


TransactionTestCase._fixture_teardown = _empty_tables_and_trail  # type: ignore[method-assign]


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb: bool, django_db_modify_db_settings: None) -> bool:
    """On SQLite a database that tests/run.py migrated is copied, and only brought up to date."""
    migrated = os.environ.get("TEST_MIGRATED", "")
    if django_db_keepdb or connection.vendor != "sqlite" or not Path(migrated).is_file():
        return django_db_keepdb
    shutil.copy(migrated, connection.settings_dict["TEST"]["NAME"])
    return True


@pytest.fixture
def broken_trail(db: None) -> Iterator[None]:
    """The database itself refuses to insert an audit event, so nothing that must be recorded may happen."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "CREATE TRIGGER broken_trail BEFORE INSERT ON audit_auditevent "
                "BEGIN SELECT RAISE(ABORT, 'the trail is broken'); END"
            )
            undo = ["DROP TRIGGER broken_trail"]
        else:
            cursor.execute(
                "CREATE FUNCTION broken_trail() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'the trail is broken'; END $$"
            )
            cursor.execute(
                "CREATE TRIGGER broken_trail BEFORE INSERT ON audit_auditevent "
                "FOR EACH ROW EXECUTE FUNCTION broken_trail()"
            )
            undo = ["DROP TRIGGER broken_trail ON audit_auditevent", "DROP FUNCTION broken_trail()"]
    yield
    with connection.cursor() as cursor:
        for statement in undo:
            cursor.execute(statement)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Thing:
    """A room of operation kinds that only tests have: test_change, test_giving, test_removal."""
    return registered(monkeypatch.setattr)


# --- people and what is offered --------------------------------------------------------------------------------------
@pytest.fixture
def cast(db: None) -> dict[str, User]:
    """Everybody, by name."""
    return factories.people()


@pytest.fixture
def employee(cast: dict[str, User]) -> User:
    return cast["employee"]


@pytest.fixture
def colleague(cast: dict[str, User]) -> User:
    return cast["colleague"]


@pytest.fixture
def lead(cast: dict[str, User]) -> User:
    return cast["lead"]


@pytest.fixture
def lead2(cast: dict[str, User]) -> User:
    return cast["lead2"]


@pytest.fixture
def security(cast: dict[str, User]) -> User:
    return cast["security"]


@pytest.fixture
def auditor(cast: dict[str, User]) -> User:
    return cast["auditor"]


@pytest.fixture
def admin(cast: dict[str, User]) -> User:
    return cast["admin"]


@pytest.fixture
def stranger(cast: dict[str, User]) -> User:
    return cast["stranger"]


@pytest.fixture
def client_as(cast: dict[str, User]) -> Callable[[str], Client]:
    """client_as("lead"): a browser in which lead has signed in; client_as("") one in which nobody has."""

    def sign_in(name: str, **options: object) -> Client:
        client = Client(**options)  # type: ignore[arg-type]
        if name:
            client.force_login(cast[name])
        return client

    return sign_in


@pytest.fixture
def release() -> str:
    """Which Airflow `fake` is; modules that hold for several override it."""
    return "3.3.2"


@pytest.fixture
def fake(db: None, release: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAirflow]:
    """The fake Airflow behind `catalogue`, which nobody has looked at yet. The bridge's pauses take no time."""
    monkeypatch.setattr(airflow_bridge.http, "_wait", lambda seconds: None)
    with factories.fake_airflow(release) as server:
        yield server
    clients.close_all()


@pytest.fixture
def catalogue(
    cast: dict[str, User], fake: FakeAirflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> CatalogueVersion:
    """The demo's catalogue in force, its deployment `demo` at the address of a fake Airflow; its version.

    It is applied once for each API of Airflow. What that stored is stored again for the tests that follow.
    """
    for name, value in factories.SECRETS.items():
        monkeypatch.setenv(name, value)
    api = fake.release.api
    if api in _offered:
        return _offered[api].store(tmp_path, fake.url)
    version = factories.offer(tmp_path, url=fake.url, api=api)
    _offered[api] = Offered.now(fake.url)
    return version


@pytest.fixture
def airflow(catalogue: CatalogueVersion, fake: FakeAirflow) -> FakeAirflow:
    """The fake Airflow that `demo` speaks to, found up by the worker's own look, with its DAGs known.

    It is looked at once for each release. What was found then is stored again for the tests that follow.
    """
    if fake.release.version in _found:
        _found[fake.release.version].store()
    else:
        factories.look_at_all()
        factories.look_at_dags()
        factories.read_lists()
        factories.read_variables()
        _found[fake.release.version] = Found.now()
    return fake


_offered: dict[str, Offered] = {}
_found: dict[str, Found] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-releases", action="store_true", help="on the fakes of all releases, and all random campaigns"
    )


# --- real servers ----------------------------------------------------------------------------------------------------
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Real Airflow by real Airflow.

    On another database than SQLite only what that can matter to: what uses it, and that before one Airflow.
    """
    if connection.vendor != "sqlite":
        unconcerned = [item for item in items if not _is_about_database(item)]
        config.hook.pytest_deselected(items=unconcerned)
        items[:] = [item for item in items if item not in set(unconcerned)]
    items.sort(key=_release)


def pytest_collection_finish() -> None:
    """Garbage is looked for less often, and not among what lives as long as the process."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _release(item: pytest.Item) -> str:
    """Of the real Airflow it wants, else ""."""
    mark = item.get_closest_marker("real_airflow")
    return str(mark.kwargs["release"]) if mark else ""


def _is_about_database(item: pytest.Item) -> bool:
    uses = {"db", "transactional_db", "django_db_setup"} & set(getattr(item, "fixturenames", ()))
    of_django = isinstance(item, pytest.Function) and item.cls is not None and issubclass(item.cls, TransactionTestCase)
    params = item.callspec.params if isinstance(item, pytest.Function) and hasattr(item, "callspec") else {}
    concerned = bool(uses or of_django or item.get_closest_marker("django_db"))
    return concerned and not item.get_closest_marker("any_database") and params.get("release", "3.3.2") == "3.3.2"


@pytest.fixture(scope="session")
def real_airflows(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[RealAirflows]:
    from tests.real_airflow import RealAirflows

    found = RealAirflows(tmp_path_factory.mktemp("airflow"), postgres_url)
    yield found
    found.close()


@pytest.fixture
def real_airflow(real_airflows: RealAirflows) -> RealAirflow:
    """Airflow 3.3.2 with the demo's DAGs and the service accounts."""
    return real_airflows.get("3.3.2")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    try:
        with services.postgres() as url:
            yield url
    except services.NotInstalled as error:
        missing(str(error))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    try:
        with services.redis() as url:
            yield url
    except services.NotInstalled as error:
        missing(str(error))
