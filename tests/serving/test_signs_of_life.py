"""The supervisor and a child that stands still; a worker whose broker cannot be used."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from portal.serving import supervisor
from tests.serving.test_supervisor import Start, child, pids, start  # noqa: F401 - the fixture

# touches the file that it was given, as portal.core.heartbeat does
TOUCHING = """
import os, sys, time
file = os.path.join(sys.argv[1] + ".life", os.environ["PROCESS_ID"])
open(file, "w").close()
open(sys.argv[1] + ".pid", "a").write(f"{os.getpid()}\\n")
while True:
    os.utime(file)
    time.sleep(0.02)
"""


def watched(name: str, folder: Path, code: str = TOUCHING, **more: Any) -> dict[str, Any]:
    (folder / f"{name}.life").mkdir()
    return child(name, code, alive=str(folder / f"{name}.life"), **more)


def test_one_that_stands_still_is_started_again(start: Start, tmp_path: Path) -> None:  # noqa: F811
    start(watched("one", tmp_path, still=3.0), watched("two", tmp_path, still=3.0))
    first, bystander = pids(tmp_path / "one.pid")[0], pids(tmp_path / "two.pid")[0]
    os.kill(first, signal.SIGSTOP)
    pids(tmp_path / "one.pid", at_least=2)
    assert "one hangs; it is killed" in (tmp_path / "said").read_text()
    assert pids(tmp_path / "two.pid") == [bystander]


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[supervisor.Supervisor, Any, list[str]]:
    """A supervisor of one child that is never started, a function that lets time pass and looks, and who was killed."""
    killed: list[str] = []

    class Process:
        def kill(self) -> None:
            killed.append("one")

    one = supervisor.Child("one", ["true"], alive=str(tmp_path), still=30.0, id="0123", process=Process())  # type: ignore[arg-type]
    this = supervisor.Supervisor([one], keep_open=[], mark="none")
    moment = [1000.0]
    monkeypatch.setattr(supervisor.time, "monotonic", lambda: moment[0])

    def look(after: float, *, touched: int | None = None) -> None:
        moment[0] += after
        if touched is not None:
            (tmp_path / "0123").touch()
            os.utime(tmp_path / "0123", ns=(touched, touched))
        this._look_for_life()

    return this, look, killed


def test_one_that_has_not_begun_to_say_that_it_lives_has_time(family: Any) -> None:
    _, look, killed = family
    for _ in range(100):
        look(3.0)
    assert killed == []


def test_a_machine_that_stood_still_as_a_whole_kills_nobody(family: Any) -> None:
    """A machine that slept, or was too busy for everybody: one look was missed, however long it took."""
    _, look, killed = family
    look(3.0, touched=1)
    look(600.0)
    assert killed == []
    look(3.0, touched=2)
    for _ in range(9):
        look(3.0)
    assert killed == []
    look(3.0)
    assert killed == ["one"]


def test_a_clock_that_was_set_back_counts_as_life(family: Any) -> None:
    _, look, killed = family
    for number in range(100, 60, -1):
        look(3.0, touched=number)
    assert killed == []
