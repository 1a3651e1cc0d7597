"""A thread that goes round: whether it counts as alive, and what an error does to it."""

from __future__ import annotations

import threading

import pytest
from django.db import DatabaseError, InterfaceError, connection

from portal.core import heartbeat
from portal.worker import rounds, timers
from portal.worker.rounds import Rounds

TIMEOUT = 60  # seconds until a test that waits for another thread fails


@pytest.fixture
def moment(monkeypatch):
    """The monotonic clock, as a list of one."""
    moment = [1000.0]
    monkeypatch.setattr(rounds.time, "monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def hanging():
    """Work that hangs until `let_go` is set; `begun` is set when it does."""
    begun, let_go = threading.Event(), threading.Event()

    def work():
        begun.set()
        assert let_go.wait(TIMEOUT)

    yield work, begun
    let_go.set()


@pytest.mark.parametrize("of", [Rounds, timers.Timekeeper])
def test_a_hung_round_counts_as_dead(hanging, moment, of):
    work, begun = hanging
    one = Rounds("one", work, pause=lambda: 0.01) if of is Rounds else timers.Timekeeper([timers.Duty("one", 1, work)])
    assert not one.is_alive(), "it has not begun"
    one.start()
    assert begun.wait(TIMEOUT)
    one.stop()
    moment[0] += 119
    assert one.is_alive()
    moment[0] += 2
    assert not one.is_alive()


def test_a_slow_round_counts_as_alive(moment):
    """Several duties, none of which takes too long."""
    seen = []

    def work():
        moment[0] += 100
        seen.append(moment[0] - keeper._rounds._last_progress)

    keeper = timers.Timekeeper([timers.Duty(str(number), 1, work) for number in range(5)])
    keeper.do_due()
    assert seen == [100] * 5


def test_a_round_stops_at_once_if_stopped_at_its_start(monkeypatch):
    monkeypatch.setattr(connection, "close", lambda: None)
    turns = []
    one = Rounds("one", lambda: turns.append(1), pause=lambda: 0)
    clear = one._wake.clear

    def stop_and_clear():
        one.stop()
        clear()

    monkeypatch.setattr(one._wake, "clear", stop_and_clear)
    one._run()
    assert turns == []


@pytest.mark.parametrize("error", [DatabaseError("away"), InterfaceError("connection already closed")])
def test_a_database_that_is_away_gets_a_new_connection(monkeypatch, caplog, error):
    caplog.set_level("WARNING", "portal.core.threads")
    closed = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(len(turns)))
    turns = []

    def turn():
        turns.append(1)
        if len(turns) == 1:
            raise error
        one.stop()

    one = Rounds("one", turn, pause=lambda: 0)
    one._run()
    assert closed == [1, 2], "after the error, and at the end"
    assert "one: the database does not answer" in caplog.text


@pytest.mark.parametrize("error", [DatabaseError("away"), InterfaceError("connection already closed")])
def test_heartbeats_continue_after_a_database_failure(caplog, error):
    caplog.set_level("WARNING", "portal.core.threads")
    calls, went_on = [], threading.Event()

    def work():
        calls.append(1)
        if len(calls) == 1:
            raise error
        went_on.set()

    stop = heartbeat.run_every(0.01, work, name="pulse")
    assert went_on.wait(TIMEOUT)
    stop.set()
    assert "pulse: the database does not answer" in caplog.text
