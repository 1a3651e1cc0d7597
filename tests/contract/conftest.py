"""The same cases against fakes and real Airflows: `airflow`, `granter` and `runner` are clients of either.

See targets.py for which case runs where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from airflow_bridge import Airflow, PasswordAuth, connect
from tests.contract.servers import IDLE, FakeServer, RealServer, Server
from tests.contract.targets import MARKS, Target, of
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import on, unique


def pytest_configure(config: pytest.Config) -> None:
    for mark, words in MARKS.items():
        config.addinivalue_line("markers", f"{mark}: {words}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "target" in metafunc.fixturenames:
        chosen = of(metafunc, every_fake=metafunc.config.getoption("--all-releases"))
        targets = [pytest.param(one, id=str(one), marks=on(one.release) if one.real else ()) for one in chosen]
        metafunc.parametrize("target", targets)


class Clients:
    """One for each account of each server: making one takes longer than most cases."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], Airflow] = {}

    def get(self, url: str, api: str, account: tuple[str, str]) -> Airflow:
        key = (url, api, *account)
        if key not in self._made:
            self._made[key] = connect(name="demo", url=url, api=api, auth=PasswordAuth(*account), timeout=30)
        return self._made[key]

    def close(self) -> None:
        for airflow in self._made.values():
            airflow.close()


@pytest.fixture(scope="session")
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close()


@pytest.fixture(scope="session")
def fakes() -> Iterator[dict[str, FakeAirflow]]:
    """By release; started when they are first wanted."""
    fakes: dict[str, FakeAirflow] = {}
    yield fakes
    for fake in fakes.values():
        fake.close()


@pytest.fixture
def server(target: Target, request: pytest.FixtureRequest, clients: Clients) -> Server:
    if not target.real:
        fakes = request.getfixturevalue("fakes")
        if target.release not in fakes:
            fakes[target.release] = FakeAirflow(release=target.release)
        server = FakeServer(target, fakes[target.release])
        server.reset()
        return server
    real = RealServer(target, request.getfixturevalue("real_airflows").get(target.release))
    admin = clients.get(real.url, target.api, real.admin)
    if not (dag := admin.dag(IDLE)) or not dag.paused:
        admin.set_paused(IDLE, True)
    return real


@pytest.fixture
def fake(server: Server) -> FakeAirflow:
    """The fake behind the clients, to turn its knobs."""
    assert isinstance(server, FakeServer)
    return server.fake


@pytest.fixture
def client(server: Server, clients: Clients) -> Callable[[str, str], Airflow]:
    """client(username, password) is a client of the server."""
    return lambda username, password: clients.get(server.url, server.target.api, (username, password))


@pytest.fixture
def airflow(server: Server, client: Callable[[str, str], Airflow]) -> Airflow:
    """As administrator."""
    return client(*server.admin)


@pytest.fixture
def granter(server: Server, client: Callable[[str, str], Airflow]) -> Airflow:
    """With the permissions of the account for access."""
    return client(*(server.admin if server.target.as_admin else server.granter))


@pytest.fixture
def runner(server: Server, client: Callable[[str, str], Airflow]) -> Airflow:
    """With the permissions of the account for runs."""
    return client(*(server.admin if server.target.as_admin else server.runner))


@pytest.fixture
def person(airflow: Airflow) -> str:
    """The name of a user with the role Viewer whom no other test knows."""
    name = unique("person")
    airflow.create_user(
        username=name,
        email=f"{name.title()}@Example.com",
        first_name="Per",
        last_name="Son",
        password="secret-of-the-person",
        roles=["Viewer"],
    )
    return name


def now() -> datetime:
    return datetime.now(UTC)
