"""Airflow's own log: what was tried on DAGs and runs is in it, what was done to people is not."""

from __future__ import annotations

from datetime import timedelta

import pytest

from airflow_bridge import Airflow, Event, Forbidden, Rejected
from tests.contract.conftest import now
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow, FakeEvent
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]


def by(server: Server) -> str:
    return server.runner[0]


@pytest.mark.everywhere
def test_a_start_and_a_pause_are_there_with_our_account(airflow: Airflow, runner: Airflow, server: Server) -> None:
    run_id, before = unique("g__"), now() - timedelta(seconds=1)
    runner.trigger(IDLE, dag_run_id=run_id, logical_date=now())
    runner.set_paused(IDLE, True)
    events = list(airflow.events(after=before, dag_id=IDLE, by=by(server)))
    assert [event.what for event in events][:2] == ["pause", "trigger"]  # the newest is first
    assert all((event.dag_id, event.by) == (IDLE, by(server)) and event.at > before for event in events)
    assert events[1].dag_run_id == run_id
    assert [event.id for event in events] == sorted((event.id for event in events), reverse=True)


@pytest.mark.everywhere
def test_the_events_of_a_run(airflow: Airflow, runner: Airflow) -> None:
    run_id, other = unique("g__"), unique("g__")
    for name in (run_id, other):
        runner.trigger(IDLE, dag_run_id=name, logical_date=now())
    runner.set_note(IDLE, run_id, "looked at")
    runner.cancel(IDLE, run_id)
    events = list(airflow.events(dag_id=IDLE, dag_run_id=run_id))
    assert [event.what for event in events] == ["change_run", "change_run", "trigger"]
    assert {event.dag_run_id for event in events} == {run_id}


def test_attempts_are_there_too(airflow: Airflow, runner: Airflow, server: Server) -> None:
    before = now() - timedelta(seconds=1)
    with pytest.raises(Rejected):
        runner.trigger("sales_report", dag_run_id=unique("g__"), conf={"region": "XX"}, logical_date=now())
    events: list[Event] = list(airflow.events(after=before, dag_id="sales_report", by=by(server)))
    assert "trigger" in [event.what for event in events]


@pytest.mark.everywhere
@pytest.mark.needs("users")
def test_what_is_done_to_people_and_roles_is_not(
    airflow: Airflow, granter: Airflow, server: Server, person: str
) -> None:
    before = now() - timedelta(seconds=1)
    granter.set_roles(person, ["Op"])
    granter.create_role(unique("role"), [])
    granter.take_all_roles(person)
    assert list(airflow.events(after=before, by=server.granter[0])) == []


def test_pages_of_them(airflow: Airflow, fake: FakeAirflow) -> None:
    fake.state.events += [FakeEvent("something", f"somebody_{number}", IDLE, None, "{}") for number in range(250)]
    assert len({event.by for event in airflow.events(dag_id=IDLE)}) == 250


def test_a_limit_is_cut_without_a_word(airflow: Airflow, server: Server) -> None:
    if not server.target.real:
        server.fake.state.events += [FakeEvent("x", "somebody", IDLE, None, "{}") for _ in range(250)]
    answer = Raw(server, *server.admin).get("/eventLogs?limit=1000")
    most = 1000 if server.target.release in ("3.0.6", "3.1.6") else 100
    assert answer.status == 200
    assert len(answer.json["event_logs"]) == min(most, answer.json["total_entries"])


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_two_accounts_do_not_read_it(granter: Airflow, runner: Airflow) -> None:
    for account in (granter, runner):
        with pytest.raises(Forbidden, match="Audit Logs"):
            list(account.events())
