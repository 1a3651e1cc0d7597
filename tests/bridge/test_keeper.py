"""The keeper of the demo's Airflow ends all it started, also what its children started, however it is ended itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from portal.demo.airflow import keeper

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

# a component with a child that leaves its process group and does not listen to SIGTERM, as running tasks may
COMPONENT = """
import os, signal, time
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    print(os.getpid(), child, flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it has not come about within 30 s"
        time.sleep(0.02)


def pids(folder: Path) -> list[int]:
    return [int(line) for log in folder.glob("part*.log") for line in log.read_text().split()]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A keeper with two components, all of them and their children running."""
    components = {f"part{number}": [sys.executable, "-c", COMPONENT] for number in (1, 2)}
    (tmp_path / "plan.json").write_text(json.dumps({"components": components, "logs": str(tmp_path)}))
    command = [sys.executable, keeper.__file__, str(tmp_path / "plan.json")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as process:
        until(lambda: len(pids(tmp_path)) == 4)
        yield process
        for pid in keeper.session(process.pid):
            os.kill(pid, signal.SIGKILL)


def test_it_ends_all_when_its_starter_lets_go(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """As when the one who started it was killed: the pipe closes."""
    assert kept.stdin is not None
    kept.stdin.close()
    assert kept.wait(30) == 0
    assert [pid for pid in pids(tmp_path) if alive(pid)] == []


def test_it_ends_all_when_told_to(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    kept.terminate()
    assert kept.wait(30) == 0
    assert [pid for pid in pids(tmp_path) if alive(pid)] == []


def test_its_components_end_when_it_is_killed(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The kernel tells them; what they have started is theirs to end."""
    kept.kill()
    kept.wait(30)
    until(lambda: not any(alive(pid) for pid in pids(tmp_path)[::2]))


def test_a_component_that_cannot_start_ends_all(kept: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Rather than being started again and again with a wrong configuration."""
    os.kill(pids(tmp_path)[0], signal.SIGKILL)
    assert kept.wait(30) == 1
    assert [pid for pid in pids(tmp_path) if alive(pid)] == []
