"""Runs the processes of one Airflow and ends them when it ends: `python keeper.py PLAN`, a JSON file.

It ends all of them on SIGTERM, and when its standard input is closed, which also happens if the process that started it
is killed. If a component ends soon after its start, the configuration is wrong, and all are ended. A component that had
worked before is restarted. Standard library only, so that it needs no installation.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
GRACE = 6.0  # seconds between asking a component to end and killing its process group
SETTLED = 30.0  # after this time a component counts as working
LOG_LIMIT = 20 * 2**20


class Component:
    def __init__(self, name: str, command: list[str], logs: Path) -> None:
        self.name = name
        self.command = command
        self.log = logs / f"{name}.log"
        self.start()

    def start(self) -> None:
        self.started = time.monotonic()
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent,
            )

    def signal(self, number: int) -> None:
        """Send a signal to the process group, because schedulers and parsers have children."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None


def _die_with_parent() -> None:
    """On Linux the kernel ends the component when this keeper is killed. Other systems have no such feature."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def session(leader: int) -> set[int]:
    """The running processes of a session; empty without /proc."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name, which may contain anything) state ppid pgrp session ...
            state, _, _, its_session = entry.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == leader and state != "Z":
                found.add(int(entry.parent.name))
    return found


def keep(components: list[Component]) -> int:
    """Watch the components until told to stop. Returns the exit code."""
    parent = os.getppid()
    while True:
        readable, _, _ = select.select([0], [], [], 0.5)
        if (readable and not os.read(0, 1)) or os.getppid() != parent:
            return 0
        for component in components:
            if not component.ended:
                continue
            if time.monotonic() - component.started < SETTLED:
                return 1
            component.signal(signal.SIGKILL)  # the processes it left
            component.start()


def end(components: list[Component]) -> None:
    """End all components: SIGTERM, a delay, then SIGKILL for the complete session, because tasks leave their group."""
    for component in components:
        component.signal(signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for component in components:
        with contextlib.suppress(subprocess.TimeoutExpired):
            component.process.wait(max(0.1, deadline - time.monotonic()))
    deadline = time.monotonic() + GRACE
    while (left := session(os.getsid(0)) - {os.getpid()}) and time.monotonic() < deadline:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)  # a killed process takes a moment to be gone
    for component in components:
        component.signal(signal.SIGKILL)  # for systems without /proc
        component.process.wait()


def main(plan: dict[str, Any]) -> int:
    def stop(*_: object) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is handled by the supervisor, which ends us
    components: list[Component] = []
    try:
        for name, command in plan["components"].items():
            components.append(Component(name, command, Path(plan["logs"])))
        return keep(components)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        end(components)


if __name__ == "__main__":
    raise SystemExit(main(json.loads(Path(sys.argv[1]).read_text())))
