"""A fake Airflow, a client of it, and waiting that takes no time."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import airflow_bridge.http
from airflow_bridge import Airflow, PasswordAuth, connect
from tests.fake_airflow import FakeAirflow


class Waits:
    """What the bridge waited between its attempts, in seconds. `meanwhile` is called instead of waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        self.meanwhile()


@pytest.fixture(autouse=True)
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    waits = Waits()
    monkeypatch.setattr(airflow_bridge.http, "_wait", waits)
    return waits


@pytest.fixture
def fake() -> Iterator[FakeAirflow]:
    with FakeAirflow() as fake:
        fake.add_user("alice", roles=["Viewer"])
        yield fake


@pytest.fixture
def make(fake: FakeAirflow) -> Iterator[Callable[..., Airflow]]:
    """make(timeout=1) is a client of the fake, as its administrator unless told otherwise."""
    made: list[Airflow] = []

    def make(**changes: object) -> Airflow:
        given = {"name": "prod", "url": fake.url, "api": "v2", "auth": PasswordAuth(*fake.admin), "timeout": 5.0}
        made.append(connect(**{**given, **changes}))
        return made[-1]

    yield make
    for airflow in made:
        airflow.close()


@pytest.fixture
def airflow(make: Callable[..., Airflow]) -> Airflow:
    return make()
