"""The same cases against the fake and a real Airflow: `airflow`, `granter` and `runner` are clients of either."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from airflow_bridge import Airflow, PasswordAuth, Run, connect
from airflow_bridge.fake import FakeAirflow
from portal.demo.airflow import ensure_service_accounts
from tests.real_airflow import GRANTER, RUNNER, real_airflow, unique

__all__ = ["real_airflow"]

PATIENCE = 120.0  # seconds for a run that takes a few, on a busy machine


@dataclass(frozen=True)
class Server:
    url: str
    admin: tuple[str, str]
    granter: tuple[str, str]
    runner: tuple[str, str]
    finish: Callable[[Airflow, Run, str], Run]
    """Bring a run to its end, which is expected to be the state given."""


@pytest.fixture(params=["fake", pytest.param("3.3.2", marks=pytest.mark.real_airflow)])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "fake":
        with FakeAirflow() as fake:
            ensure_service_accounts(fake, granter=GRANTER, runner=RUNNER)
            yield Server(fake.url, fake.admin, GRANTER, RUNNER, _finish_in(fake))
    else:
        real = request.getfixturevalue("real_airflow")
        yield Server(real.url, real.admin, real.granter, real.runner, _wait_for)


@pytest.fixture
def client(server: Server) -> Iterator[Callable[..., Airflow]]:
    """client(username, password) is a client of the server."""
    made: list[Airflow] = []

    def make(username: str, password: str) -> Airflow:
        made.append(connect(name="demo", url=server.url, api="v2", auth=PasswordAuth(username, password), timeout=30))
        return made[-1]

    yield make
    for airflow in made:
        airflow.close()


@pytest.fixture
def airflow(server: Server, client: Callable[..., Airflow]) -> Airflow:
    """As administrator."""
    return client(*server.admin)


@pytest.fixture
def granter(server: Server, client: Callable[..., Airflow]) -> Airflow:
    """With the permissions of the account for access."""
    return client(*server.granter)


@pytest.fixture
def runner(server: Server, client: Callable[..., Airflow]) -> Airflow:
    """With the permissions of the account for runs."""
    return client(*server.runner)


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


def _finish_in(fake: FakeAirflow) -> Callable[[Airflow, Run, str], Run]:
    def finish(airflow: Airflow, run: Run, state: str) -> Run:
        fake.set_run_states(state, dag_run_id=run.dag_run_id)
        found = airflow.run(run.dag_id, run.dag_run_id)
        assert found
        return found

    return finish


def _wait_for(airflow: Airflow, run: Run, state: str) -> Run:
    deadline = time.monotonic() + PATIENCE
    while True:
        found = airflow.run(run.dag_id, run.dag_run_id)
        assert found
        if found.ended_at:
            return found
        assert time.monotonic() < deadline, f"{found} has not ended"
        time.sleep(0.5)
