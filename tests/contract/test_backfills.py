"""Backfills of a DAG with a schedule (Airflow 3). Each case has a stretch of the past of its own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from airflow_bridge import Airflow, Backfill, Conflict, Forbidden, NotFound, Rejected
from tests.contract.conftest import now
from tests.contract.servers import IDLE

pytestmark = [pytest.mark.contract, pytest.mark.once, pytest.mark.everywhere, pytest.mark.needs("backfills")]

DAG = "contract_daily"
_months = count(1)


def stretch() -> dict[str, datetime]:
    """Two days that no other case has, at the hour when nothing is due."""
    begin = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=7 * next(_months))
    return {"from_date": begin, "to_date": begin + timedelta(days=2)}


@pytest.fixture
def backfill(airflow: Airflow) -> Iterator[Backfill]:
    made = airflow.start_backfill(DAG, **stretch(), conf={"by": "contract"})
    yield made
    if airflow.backfill(made.id).completed_at is None:
        airflow.cancel_backfill(made.id)


def test_what_it_would_run(airflow: Airflow) -> None:
    days = stretch()
    found = airflow.preview_backfill(DAG, **days)
    assert [day.date() for day in found] == [(days["from_date"] + timedelta(days=day)).date() for day in range(2)]
    assert {(day.hour, day.utcoffset()) for day in found} == {(5, timedelta(0))}
    # nothing was started
    assert not [run for run in airflow.recent_runs(DAG, 100) if run.logical_date in found]


def test_it_is_started_and_found(airflow: Airflow, backfill: Backfill) -> None:
    assert (backfill.dag_id, backfill.paused, backfill.completed_at) == (DAG, False, None)
    assert airflow.backfill(backfill.id).from_date == backfill.from_date
    assert backfill.id in [each.id for each in airflow.backfills(DAG)]
    runs = [run for run in airflow.recent_runs(DAG, 100) if run.kind == "backfill" and not run.is_final]
    assert len(runs) == 2
    assert {run.conf["by"] for run in runs} == {"contract"}


def test_only_one_at_a_time(airflow: Airflow, backfill: Backfill) -> None:
    with pytest.raises(Conflict, match="already a running backfill"):
        airflow.start_backfill(DAG, **stretch())


def test_it_is_paused_and_goes_on(airflow: Airflow, backfill: Backfill) -> None:
    assert airflow.pause_backfill(backfill.id).paused is True
    assert airflow.pause_backfill(backfill.id).paused is True
    assert airflow.pause_backfill(backfill.id, False).paused is False


def test_it_is_cancelled_once(airflow: Airflow, backfill: Backfill) -> None:
    assert airflow.cancel_backfill(backfill.id).completed_at is not None
    with pytest.raises(Conflict, match="already ended"):
        airflow.cancel_backfill(backfill.id)


def test_what_cannot_be_backfilled(airflow: Airflow) -> None:
    with pytest.raises(Rejected, match=r"non-periodic schedule|has no schedule"):
        airflow.start_backfill(IDLE, **stretch())
    with pytest.raises(NotFound):
        airflow.start_backfill("no_such_dag", **stretch())
    with pytest.raises(NotFound):
        airflow.backfill(999_999)
    with pytest.raises(Rejected, match="time zone"):
        airflow.start_backfill(DAG, from_date=now().replace(tzinfo=None), to_date=now())


@pytest.mark.separate
def test_the_granter_backfills_nothing(airflow: Airflow, granter: Airflow) -> None:
    with pytest.raises(Forbidden):
        granter.start_backfill(DAG, **stretch())
    with pytest.raises(Forbidden):
        list(granter.backfills(DAG))
