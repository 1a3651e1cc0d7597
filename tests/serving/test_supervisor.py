"""The supervisor with real processes, some of which leave their process group and session as Airflow's do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from portal.serving import supervisor
from tests.serving.waiting import end, until

# writes its process number; so does its own child, which leaves the process group and the session
PARENT_AND_STRAY = """
import os, subprocess, sys, time
name = sys.argv[1]
open(name + ".pid", "a").write(f"{os.getpid()}\\n")
stray = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\\\n'); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", stray, name + ".stray"], start_new_session=True)
time.sleep(600)
"""
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1] + ".pid", "a").write(f"{os.getpid()}\\n")
time.sleep(600)
"""


def _from_a_terminal() -> None:
    """A process started in the background ignores these signals, and so do its children. Restore their defaults."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[subprocess.Popen[bytes]] = []

    def run(*children: dict[str, Any]) -> subprocess.Popen[bytes]:
        plan = json.dumps({"children": children, "keep_open": [], "mark": ""})
        with (tmp_path / "said").open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", supervisor.__file__, plan],
                cwd=tmp_path,
                stderr=said,
                preexec_fn=_from_a_terminal,
            )
        started.append(process)
        return process

    yield run
    for process in started:
        end(process)


def child(name: str, code: str = PARENT_AND_STRAY, **more: Any) -> dict[str, Any]:
    return {"name": name, "argv": [sys.executable, "-c", code, name], **more}


def pids(file: Path, *, at_least: int = 1) -> list[int]:
    def read() -> list[int]:
        found = [int(line) for line in file.read_text().split()] if file.exists() else []
        return found if len(found) >= at_least else []

    return until(read, what=f"{at_least} process(es) in {file.name}")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def everybody(folder: Path) -> list[int]:
    return [pid for name in ("one", "two") for ending in ("pid", "stray") for pid in pids(folder / f"{name}.{ending}")]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_signal_ends_all_processes(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    process = start(child("one"), child("two"))
    processes = everybody(tmp_path)
    process.send_signal(number)
    assert process.wait(10) == 0
    assert [pid for pid in processes if alive(pid)] == []


def test_a_killed_supervisor_leaves_no_process(start: Start, tmp_path: Path) -> None:
    process = start(child("one"), child("two"))
    processes = everybody(tmp_path)
    process.kill()
    until(lambda: not any(alive(pid) for pid in processes), what="all are gone", within=10)


def test_without_its_guard_a_killed_supervisor_still_ends_its_children(start: Start, tmp_path: Path) -> None:
    process = start(child("one"))
    [direct], [stray] = pids(tmp_path / "one.pid"), pids(tmp_path / "one.stray")
    own = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    guards = [int(pid) for pid in own if b"--guard" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(guards) == 1
    process.send_signal(signal.SIGSTOP)  # it must not start another guard meanwhile
    os.kill(guards[0], signal.SIGKILL)
    process.kill()
    until(lambda: not alive(direct), what="the kernel told the child", within=10)
    os.kill(stray, signal.SIGKILL)


def test_a_killed_guard_is_replaced(start: Start, tmp_path: Path) -> None:
    process = start(child("one"))
    pids(tmp_path / "one.pid")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")

    def guards() -> list[int]:
        return [
            int(pid) for pid in children.read_text().split() if b"--guard" in Path(f"/proc/{pid}/cmdline").read_bytes()
        ]

    [first] = until(guards, what="there is a guard")
    os.kill(first, signal.SIGKILL)
    until(lambda: guards() and guards() != [first], what="another guard took over")


def test_a_child_that_ignores_sigterm_is_killed(start: Start, tmp_path: Path) -> None:
    process = start(child("one", STUBBORN, grace=0.2))
    [pid] = pids(tmp_path / "one.pid")
    process.terminate()
    assert process.wait(10) == 0
    assert not alive(pid)


def test_a_child_that_dies_is_restarted_and_its_own_children_are_ended(start: Start, tmp_path: Path) -> None:
    start(child("one"), child("two"))
    first, stray, bystander, *_ = (
        *pids(tmp_path / "one.pid"),
        *pids(tmp_path / "one.stray"),
        *pids(tmp_path / "two.pid"),
    )
    os.kill(first, signal.SIGKILL)
    second = pids(tmp_path / "one.pid", at_least=2)[1]
    assert alive(second)
    assert not alive(stray), "what the dead child had started is in the way of its successor"
    assert alive(bystander)
    assert "one ended (killed by signal 9); starting it again in" in (tmp_path / "said").read_text()


def test_children_wait_for_their_jobs(start: Start, tmp_path: Path) -> None:
    gate = "import os, sys, time\nwhile not os.path.exists('gate'): time.sleep(0.01)\nopen('job.done', 'w')"
    record = (
        "import os, time; open('follower.pid', 'a').write(f'{os.getpid()} '"
        " + str(os.path.exists('job.done')) + chr(10)); time.sleep(600)"
    )
    start(child("job", gate, job=True), child("follower", record, after=["job"]), child("other"))
    pids(tmp_path / "other.pid")
    assert not (tmp_path / "follower.pid").exists()
    (tmp_path / "gate").touch()
    until((tmp_path / "follower.pid").exists, what="the follower is started")
    until(lambda: "True" in (tmp_path / "follower.pid").read_text(), what="it wrote down what it found")


@pytest.mark.parametrize(("what", "code"), [({"job": True}, 3), ({}, supervisor.NO_RESTART)])
def test_a_failed_job_or_a_no_restart_exit_ends_everything(
    start: Start, tmp_path: Path, what: dict[str, Any], code: int
) -> None:
    waits = f"import os, time\nwhile not os.path.exists('one.stray'): time.sleep(0.01)\nos._exit({code})"
    process = start(child("one"), child("failing", waits, **what))
    processes = [*pids(tmp_path / "one.pid"), *pids(tmp_path / "one.stray")]
    assert process.wait(15) == 1
    assert [pid for pid in processes if alive(pid)] == []
    assert f"failing failed (exit code {code}); stopping everything" in (tmp_path / "said").read_text()


def test_a_deleted_log_folder_is_created_again(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "logs" / "one.log"
    start(child("one", log=str(log)))
    [first] = pids(tmp_path / "one.pid")
    log.unlink()
    log.parent.rmdir()
    os.kill(first, signal.SIGKILL)
    assert pids(tmp_path / "one.pid", at_least=2)
    assert log.exists()


def test_an_unwritable_log_ends_everything_with_a_message(start: Start, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    process = start(child("one", log=str(tmp_path / "file" / "one.log")))
    assert process.wait(10) == 1
    assert "one cannot be started" in (tmp_path / "said").read_text()


def test_a_missing_command_ends_everything_with_a_message(start: Start, tmp_path: Path) -> None:
    process = start({"name": "nobody", "argv": ["/no/such/program"]})
    assert process.wait(10) == 1
    assert "nobody cannot be started" in (tmp_path / "said").read_text()
