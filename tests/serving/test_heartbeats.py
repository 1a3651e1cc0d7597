"""The supervisor and children that stop sending heartbeats."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from portal.serving import supervisor
from tests.serving.test_supervisor import Start, child, pids, start  # noqa: F401 - the fixture

# touches its heartbeat file, as portal.core.heartbeat does
SENDS_HEARTBEATS = """
import os, sys, time
file = os.path.join(sys.argv[1] + ".heartbeats", os.environ["PROCESS_ID"])
open(file, "w").close()
open(sys.argv[1] + ".pid", "a").write(f"{os.getpid()}\\n")
while True:
    os.utime(file)
    time.sleep(0.02)
"""


def watched(name: str, folder: Path, code: str = SENDS_HEARTBEATS, **more: Any) -> dict[str, Any]:
    (folder / f"{name}.heartbeats").mkdir()
    return child(name, code, heartbeats=str(folder / f"{name}.heartbeats"), **more)


def test_a_hung_child_is_restarted(start: Start, tmp_path: Path) -> None:  # noqa: F811
    start(watched("one", tmp_path, hangs_after=3.0), watched("two", tmp_path, hangs_after=3.0))
    first, bystander = pids(tmp_path / "one.pid")[0], pids(tmp_path / "two.pid")[0]
    os.kill(first, signal.SIGSTOP)
    pids(tmp_path / "one.pid", at_least=2)
    assert "one hangs; it is killed" in (tmp_path / "said").read_text()
    assert pids(tmp_path / "two.pid") == [bystander]


@pytest.fixture
def supervised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[supervisor.Supervisor, Any, list[str]]:
    """A supervisor with a fake child, a function that advances the clock and checks it, and the killed children."""
    killed: list[str] = []

    class Process:
        def kill(self) -> None:
            killed.append("one")

    one = supervisor.Child("one", ["true"], heartbeats=str(tmp_path), hangs_after=30.0, id="0123", process=Process())  # type: ignore[arg-type]
    this = supervisor.Supervisor([one], keep_open=[], mark="none")
    moment = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: moment[0])

    def check(after: float, *, touched: int | None = None) -> None:
        moment[0] += after
        if touched is not None:
            (tmp_path / "0123").touch()
            os.utime(tmp_path / "0123", ns=(touched, touched))
        this._kill_hung()

    return this, check, killed


def test_a_child_without_a_first_heartbeat_is_not_killed(supervised: Any) -> None:
    _, check, killed = supervised
    for _ in range(100):
        check(3.0)
    assert killed == []


def test_no_child_is_killed_because_the_machine_stood_still(supervised: Any) -> None:
    """The machine slept or was too busy: then only one check was missed, independent of the time."""
    _, check, killed = supervised
    check(3.0, touched=1)
    check(600.0)
    assert killed == []
    check(3.0, touched=2)
    for _ in range(9):
        check(3.0)
    assert killed == []
    check(3.0)
    assert killed == ["one"]


def test_a_heartbeat_with_an_earlier_time_counts(supervised: Any) -> None:
    _, check, killed = supervised
    for number in range(100, 60, -1):
        check(3.0, touched=number)
    assert killed == []
