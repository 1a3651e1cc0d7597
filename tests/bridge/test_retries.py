"""What is tried again, what never is, and how long a call may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from airflow_bridge import (
    Airflow,
    BridgeError,
    Conflict,
    NotApplied,
    NotFound,
    RateLimited,
    TimedOut,
    Unauthorised,
    Unexpected,
    Unreachable,
)
from airflow_bridge.http import ATTEMPTS, BACKOFF
from airflow_bridge.wire import Lost
from tests.bridge.conftest import Waits
from tests.fake_airflow import FakeAirflow

READ, WRITE = "GET /auth/fab/v1/users/alice", "PATCH /auth/fab/v1/users/alice"
RUNS = "/api/v2/dags/sales_report/dagRuns"
WHEN = datetime(2026, 11, 21, 8, tzinfo=UTC)


@pytest.mark.parametrize("mode", ["500", "502", "503", "504", "429", "close", "drop"])
def test_a_read_is_tried_again(fake: FakeAirflow, airflow: Airflow, waits: Waits, mode) -> None:
    fake.fail_next(READ, mode, times=2)
    assert airflow.user("alice") is not None
    assert len(fake.calls(READ)) == 3
    assert len(waits.seconds) == 2
    assert 0 <= waits.seconds[0] <= BACKOFF
    assert 0 <= waits.seconds[1] <= 2 * BACKOFF


@pytest.mark.parametrize("mode", ["500", "502", "503", "504", "429", "close", "drop"])
def test_a_write_that_may_be_done_twice_is_tried_again(fake: FakeAirflow, airflow: Airflow, waits: Waits, mode) -> None:
    """After two times the same list of roles, everything is as after one."""
    fake.fail_next(WRITE, mode, times=2)
    assert airflow.set_roles("alice", ["Op"]).roles == {"Op"}
    assert len(fake.calls(WRITE)) == 3
    fake.fail_next("PATCH .*/sales_report", mode)
    assert airflow.set_paused("sales_report", True).paused is True


def test_a_deletion_whose_answer_was_lost_is_done(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next("DELETE .*", "drop")
    airflow.delete_user("alice")
    assert "alice" not in fake.state.users
    with pytest.raises(NotFound):
        airflow.delete_user("alice")


def test_what_may_have_been_done_stays_unknown(fake: FakeAirflow, airflow: Airflow, waits: Waits) -> None:
    """Whatever the later attempts met: the first one had no answer."""
    fake.fail_next(WRITE, "drop")
    waits.meanwhile = fake.stop
    with pytest.raises(TimedOut, match="unknown"):
        airflow.set_roles("alice", ["Op"])
    assert fake.roles_of("alice") == {"Op"}


@pytest.mark.parametrize(("mode", "error"), [("401", Unauthorised), ("429", RateLimited), ("503", Unreachable)])
def test_a_read_says_what_it_met_last(fake: FakeAirflow, airflow: Airflow, waits: Waits, mode, error) -> None:
    """Nothing is unknown about a read without an answer."""
    fake.fail_next(READ, "drop")
    waits.meanwhile = lambda: fake.fail_next(READ, mode, times=2, retry_after="60")
    with pytest.raises(error) as caught:
        airflow.user("alice")
    assert caught.value.retry_after == (None if mode == "401" else 60)


def test_a_call_without_time_left_says_so(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    """And not that Airflow wants no calls for 0 seconds."""
    airflow = make(timeout=0.0)
    for call in (lambda: airflow.user("alice"), lambda: airflow.set_roles("alice", ["Op"])):
        with pytest.raises(Unreachable, match="time for it was over before anything was sent") as caught:
            call()
        assert caught.value.retry_after is None
    assert fake.requests == []


def test_waiting_for_a_place_counts(fake: FakeAirflow, make: Callable[..., Airflow], monkeypatch) -> None:
    """What was waited is not there for the request any more."""
    airflow = make(timeout=2.0, max_concurrent=1)
    airflow.check()
    http, timeouts = airflow._http, []

    def send(*_: object, **told: float) -> object:
        timeouts.append(told["timeout"])
        raise Lost(silent=True)

    clock = SimpleNamespace(monotonic=lambda: time.monotonic() + later, sleep=time.sleep, time=time.time)
    later, turn = 0.0, threading.Event()
    monkeypatch.setattr(http.sender._wire, "send", send)
    monkeypatch.setattr("airflow_bridge.http.time", clock)
    with ThreadPoolExecutor(1) as pool, http.sender.gate.passage(1, time.monotonic() + 9):
        waiting = pool.submit(airflow.set_roles, "alice", ["Op"])
        while not http.sender.gate._changed._waiters:
            turn.wait(0.01)
        later = 1.0
    with pytest.raises(TimedOut):
        waiting.result()
    assert timeouts[0] < 0.8


@pytest.mark.parametrize("mode", ["502", "503", "504", "429", "close", "drop"])
def test_something_new_is_not_asked_for_again(fake: FakeAirflow, airflow: Airflow, waits: Waits, mode) -> None:
    fake.fail_next("POST /auth/fab/v1/roles", mode)
    with pytest.raises(BridgeError):
        airflow.create_role("new", [])
    assert len(fake.calls("POST /auth/fab/v1/roles")) == 1
    assert waits.seconds == []
    assert ("new" in fake.state.roles) is (mode == "drop")


def test_a_run_is_asked_for_again_after_a_500(fake: FakeAirflow, airflow: Airflow) -> None:
    """That attempt is over; it cannot come after a later one."""
    fake.fail_next(f"POST {RUNS}", "500")
    assert trigger(airflow).dag_run_id == "g__1"
    assert len(fake.state.runs) == 1


def test_something_new_is_made_once_although_a_500_came_first(fake: FakeAirflow, airflow: Airflow) -> None:
    person = {"username": "bob", "email": "bob@example.com", "first_name": "B", "last_name": "B", "password": "x"}
    fake.fail_next("POST /auth/fab/.*", "500")
    assert airflow.create_user(**person, roles=["Viewer"]).username == "bob"
    fake.fail_next("POST /auth/fab/.*", "500")
    assert airflow.create_role("role", []).name == "role"
    assert len(fake.calls("POST /auth/fab/.*")) == 4


def test_a_role_is_named_once(fake: FakeAirflow, airflow: Airflow) -> None:
    """Airflow 2 swallows the whole change where one is named twice."""
    airflow.set_roles("alice", ["Op", "Viewer", "Op"])
    assert fake.calls(WRITE)[0].body == {"roles": [{"name": "Op"}, {"name": "Viewer"}]}


def test_a_write_of_which_nothing_was_sent_is_tried_again(fake: FakeAirflow, airflow: Airflow, waits: Waits) -> None:
    airflow.check()
    fake.stop()
    waits.meanwhile = fake.start
    assert airflow.set_roles("alice", ["Op"]).roles == {"Op"}
    assert len(fake.calls(WRITE)) == 1


def test_a_failed_sign_in_is_tried_again_for_a_write_too(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next("POST /auth/token", "drop")
    assert airflow.set_roles("alice", ["Op"]).roles == {"Op"}
    assert len(fake.calls(WRITE)) == 1


def test_it_gives_up(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next(READ, "500", times=9)
    with pytest.raises(Unexpected):
        airflow.user("alice")
    assert len(fake.calls(READ)) == ATTEMPTS


@pytest.mark.parametrize("mode", ["html", "garbage"])
def test_nonsense_is_not_asked_for_again(fake: FakeAirflow, airflow: Airflow, mode) -> None:
    fake.fail_next(READ, mode)
    with pytest.raises(Unexpected):
        airflow.user("alice")
    assert len(fake.calls(READ)) == 1


@pytest.mark.parametrize(("mode", "error"), [("429", RateLimited), ("503", Unreachable)])
def test_retry_after_is_honoured(fake: FakeAirflow, airflow: Airflow, waits: Waits, mode, error) -> None:
    fake.fail_next(READ, mode, retry_after="3")
    assert airflow.user("alice") is not None
    assert waits.seconds == [pytest.approx(3.0, abs=0.5)]
    assert waits.seconds[0] > 2.5

    # longer than the call may take: no waiting, the caller is told
    waits.seconds.clear()
    waits.meanwhile = lambda: fake.fail_next(READ, mode, retry_after="60")
    with pytest.raises(error) as caught:
        airflow.user("alice")
    assert caught.value.retry_after == 60
    assert len(waits.seconds) == 1  # for what was left of the three seconds

    # and until then, nobody of this process asks at all
    with pytest.raises(RateLimited, match="no calls for another"):
        airflow.set_roles("alice", ["Op"])
    assert fake.calls(WRITE) == []


def test_a_read_that_hangs_leaves_time_for_another(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    airflow = make(timeout=2.0)
    airflow.check()
    fake.fail_next(READ, "hang")
    assert airflow.user("alice") is not None
    assert len(fake.calls(READ)) == 2


def test_the_budget_ends_a_call(fake: FakeAirflow, make: Callable[..., Airflow]) -> None:
    """Two halves for a read, one attempt for a write; the fake would hang for much longer than this test may take."""
    airflow = make(timeout=1.5)
    airflow.check()
    fake.fail_next(f"{READ}|{WRITE}", "hang", times=99, seconds=3600)
    with pytest.raises(TimedOut):
        airflow.user("alice")
    assert len(fake.calls(READ)) == 2
    with pytest.raises(TimedOut):
        airflow.set_roles("alice", ["Op"])
    assert len(fake.calls(WRITE)) == 1


def test_a_swallowed_change_is_seen(fake: FakeAirflow, airflow: Airflow) -> None:
    """Airflow says 200 and has changed nothing: what is read back tells."""
    fake.fail_next("PATCH .*", "ignore", times=2)
    with pytest.raises(NotApplied, match="shows Viewer instead of Op"):
        airflow.set_roles("alice", ["Op"])
    with pytest.raises(NotApplied, match="has not moved"):
        airflow.set_paused("sales_report", True)


# --- a run is started once -------------------------------------------------------------------------------------------
def trigger(airflow: Airflow, run_id: str = "g__1", when: datetime = WHEN):
    return airflow.trigger("sales_report", dag_run_id=run_id, conf={"region": "KR"}, logical_date=when)


def test_a_run_whose_answer_was_lost_is_found(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next(f"POST {RUNS}", "drop")
    assert trigger(airflow).dag_run_id == "g__1"
    assert [run.dag_run_id for run in fake.state.runs] == ["g__1"]
    assert len(fake.calls(f"POST {RUNS}")) == 1


@pytest.mark.parametrize("mode", ["close", "502", "504"])
def test_a_run_that_was_not_started_is_still_unknown(fake: FakeAirflow, airflow: Airflow, mode) -> None:
    """It may yet arrive, so nothing is started a second time; with the same id, the next call settles it."""
    fake.fail_next(f"POST {RUNS}", mode)
    with pytest.raises(TimedOut, match="unknown"):
        trigger(airflow)
    assert len(fake.calls(f"POST {RUNS}")) == 1
    assert trigger(airflow).dag_run_id == "g__1"
    assert len(fake.state.runs) == 1


def test_an_outage_right_after_it_leaves_it_unknown(fake: FakeAirflow, airflow: Airflow) -> None:
    fake.fail_next(f"POST {RUNS}", "drop")
    fake.fail_next(f"GET {RUNS}/g__1", "503", times=2 * ATTEMPTS)
    with pytest.raises(TimedOut):
        trigger(airflow)
    with pytest.raises(Unreachable):  # a 409 by now, but that may be our own run: no refusal
        trigger(airflow)
    assert trigger(airflow).dag_run_id == "g__1"
    assert len(fake.state.runs) == 1


def test_a_conflict_is_told_apart(fake: FakeAirflow, airflow: Airflow) -> None:
    trigger(airflow)
    assert trigger(airflow).dag_run_id == "g__1"
    with pytest.raises(Conflict, match="same logical date"):
        trigger(airflow, "g__2")
    assert len(fake.state.runs) == 1
