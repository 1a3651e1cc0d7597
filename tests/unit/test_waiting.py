"""Waiting for as long as something moves; no test here takes the time it speaks of."""

import itertools
import os
import subprocess
import sys

import pytest

from airflow_bridge import TimedOut
from portal.airflow.models import DeploymentState
from portal.demo import parts, waiting
from portal.demo.airflow import environment
from portal.demo.waiting import Waiting, sizes


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def wait(clock, moved=lambda: 0, *, still=60.0, said=None):
    return Waiting(still=still, say=(said if said is not None else []).append, moved=moved, clock=clock)


def test_waiting_continues_while_something_changes():
    clock, steps = Clock(), itertools.count()
    slow = wait(clock, moved=lambda: next(steps))
    for clock.now in range(0, 1200, 59):
        assert slow.goes_on("the scheduler is not healthy yet")


def test_waiting_continues_while_the_missing_parts_change():
    clock = Clock()
    slow = wait(clock)
    for clock.now in range(0, 600, 59):
        assert slow.goes_on(f"{clock.now} DAGs not parsed yet")


def test_waiting_ends_when_nothing_changes():
    clock = Clock()
    stuck = wait(clock)
    for clock.now in (0, 30, 59):
        assert stuck.goes_on("no answer")
    clock.now = 60
    assert not stuck.goes_on("no answer")


def test_waiting_ends_after_the_maximum_time():
    clock, steps = Clock(), itertools.count()
    endless = wait(clock, moved=lambda: next(steps))
    assert endless.goes_on("no answer")
    clock.now = waiting.LONGEST
    assert not endless.goes_on("no answer")


def test_waiting_reports_what_is_missing():
    clock, said = Clock(), []
    slow = wait(clock, said=said)
    for clock.now in range(0, 50, 5):
        slow.goes_on("the scheduler is not healthy yet")
    assert said == [f"waiting: the scheduler is not healthy yet ({at} s so far)" for at in (15, 30, 45)]


def test_written_files_count_as_a_change(tmp_path):
    (tmp_path / "logs").mkdir()
    before = sizes([tmp_path])
    (tmp_path / "logs" / "scheduler.log").write_text("a line")
    assert sizes([tmp_path]) == before + 6


class Answers:
    """An Airflow that is found down, then up."""

    name = "demo"

    def __init__(self, *found: str) -> None:
        self.found, self.looks = list(found), 0

    def look(self, _: object) -> DeploymentState:
        self.looks += 1
        return DeploymentState(status=self.found.pop(0), status_detail="Airflow gave no answer within 15 s.")


def works(airflow, monkeypatch, clock):
    monkeypatch.setattr(parts.time, "sleep", lambda seconds: setattr(clock, "now", clock.now + 20))
    return parts._why_not_up(airflow, look=airflow.look, waiting=wait(clock)) is None


def test_the_demo_starts_although_airflow_answers_late(monkeypatch):
    slow = Answers("down", "down", "up")
    assert works(slow, monkeypatch, Clock())
    assert slow.looks == 3


def test_the_demo_stops_if_airflow_stays_down_or_refuses(monkeypatch):
    assert not works(Answers(*["down"] * 9), monkeypatch, Clock())
    refusing = Answers("needs_reauthentication", "up")
    assert not works(refusing, monkeypatch, Clock())
    assert refusing.looks == 1


def test_a_call_without_an_answer_is_repeated(monkeypatch):
    clock, asked = Clock(), []

    def make_accounts():
        asked.append(1)
        if len(asked) < 3:
            raise TimedOut("was asked for its version and gave no answer within 15 s")

    monkeypatch.setattr(parts.time, "sleep", lambda seconds: setattr(clock, "now", clock.now + 20))
    parts._until_answered(make_accounts, waiting=wait(clock), what="the accounts")
    assert len(asked) == 3
    with pytest.raises(TimedOut):
        parts._until_answered(lambda: asked.clear() or make_accounts(), waiting=wait(clock), what="the accounts")


def test_an_installation_reports_progress(monkeypatch):
    """The program ends because it was heard of: nothing here depends on how long it takes."""
    monkeypatch.setattr(environment, "SAY_EVERY", 0.01)
    told, tell = os.pipe()
    waits = [sys.executable, "-c", f"import os; print(os.read({told}, 20).decode())"]
    heard = []

    def still():
        if not heard:
            os.write(tell, b"installed")
        heard.append(1)

    with subprocess.Popen(waits, stdout=subprocess.PIPE, text=True, pass_fds=[told]) as process:
        assert environment._finished(process, still) == "installed\n"
    os.close(told)
    os.close(tell)
    assert heard


def test_a_stopped_installation_leaves_no_process(monkeypatch):
    monkeypatch.setattr(environment, "SAY_EVERY", 0.01)

    def stop():
        raise SystemExit

    waits = [sys.executable, "-c", "import signal; signal.pause()"]
    with subprocess.Popen(waits, stdout=subprocess.PIPE, text=True) as process:
        with pytest.raises(SystemExit):
            environment._finished(process, stop)
        assert process.wait() != 0
