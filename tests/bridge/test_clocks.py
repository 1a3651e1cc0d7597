"""How far an Airflow's clock is ahead of ours, by the Date of its answers."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from airflow_bridge import Airflow
from airflow_bridge.clocks import ahead
from tests.fake_airflow import FakeAirflow

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("date", "sent", "received", "found"),
    [
        (NOW, NOW, NOW, 0.0),
        (NOW, NOW + 0.9, NOW + 0.95, 0.0),  # it writes whole seconds
        (NOW, NOW - 5, NOW + 5, 0.0),  # written at some moment of a slow call
        (NOW + 60, NOW - 1, NOW, 60.0),
        (NOW - 60, NOW, NOW + 1, -59.0),
    ],
)
def test_by_the_date_of_an_answer(date: float, sent: float, received: float, found: float) -> None:
    assert ahead({"date": formatdate(date, usegmt=True)}, sent=sent, received=received) == found


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": ""},
        {"date": "soon"},
        {"date": "Sun, 99 Nov 2026 10:00:00 GMT"},
        {"date": formatdate(NOW), "age": "9"},
    ],
)
def test_an_answer_that_does_not_say(headers: dict[str, str]) -> None:
    assert ahead(headers, sent=NOW, received=NOW) is None


def test_a_client_knows_it_of_its_last_answer(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.rate_limit_headers = {"Date": formatdate(time.time() + 3600, usegmt=True)}
    airflow.version()
    assert airflow.clock_ahead is not None and airflow.clock_ahead > 3000
