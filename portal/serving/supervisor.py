"""Keeps processes running and ends all of them when it ends: `python -I -S supervisor.py PLAN` (JSON, see Child).

It uses only the standard library and one thread. So it is small and sleeps until something happens. One thread also
makes the kernel's "your parent died" signal reliable, because the kernel sends it when the parent's thread ends. A
child that ends is started again, after a growing delay. A child that ends with NO_RESTART, or a job that fails, makes
the supervisor end everything.

No process is left behind. Every process carries a mark in its environment, so processes that left their parent's
process group are found too. If the supervisor itself is killed, a guard process ends the rest. A child that touches a
heartbeat file and then stops touching it is killed and started again.
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
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MARK = "SUPERVISED_BY"
NO_RESTART = 78  # EX_CONFIG: a restart would not help
PR_SET_PDEATHSIG = 1
PROCESS_ID = "PROCESS_ID"  # portal.core.heartbeat reads it
LOOK_EVERY = 3.0  # seconds between two checks of the heartbeat files
SETTLED = 20.0  # seconds after which a child counts as stable: its delay is reset
LONGEST_WAIT = 5.0
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass
class Child:
    """One entry of the plan's "children".

    job: runs once and must end with 0. after: names of jobs that must be done first. log: file for its output (default:
    our output). grace: seconds between SIGTERM and SIGKILL. heartbeats: folder of its heartbeat file, whose name is its
    PROCESS_ID. hangs_after: seconds without a heartbeat, after the first one, until it is killed. env: names of the
    variables it gets (default: all of ours).
    """

    name: str
    argv: list[str]
    job: bool = False
    after: list[str] = field(default_factory=list)
    log: str = ""
    env: list[str] | None = None
    grace: float = 4.0
    heartbeats: str = ""
    hangs_after: float = 30.0
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    due: float = 0.0
    wait: float = 0.5
    done: bool = False
    id: str = ""
    touched: int = 0
    missed: int = 0

    @property
    def running(self) -> bool:
        return self.process is not None


class Supervisor:
    def __init__(self, children: list[Child], *, keep_open: list[int], mark: str) -> None:
        self.id = mark or uuid.uuid4().hex
        self.children = children
        self.keep_open = keep_open
        self.exit_code: int | None = None
        self.guard: subprocess.Popen[bytes] | None = None
        self.looked = 0.0

    def run(self) -> int:
        """Start everything and keep it running until told to stop. Returns the exit code."""
        woken, wake = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told_to_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # under nohup it is ignored, and must stay ignored
            signal.signal(signal.SIGHUP, self._told_to_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while self.exit_code is None:
                pause = self._look()
                if self.exit_code is None:
                    select.select([woken], [], [], pause)
                    with contextlib.suppress(BlockingIOError):
                        os.read(woken, 4096)
        finally:
            self._stop()
        return self.exit_code

    def _told_to_stop(self, number: int, _: Any) -> None:
        if self.exit_code is None:
            self.exit_code = 0
            if number != signal.SIGTERM:
                say("stopping")
        else:  # told a second time: kill at once
            for child in self.children:
                child.grace = 0

    def _look(self) -> float | None:
        """Handle ended children and start due ones. Returns the seconds until the next call is needed, or None."""
        self._keep_guard()
        for child in self.children:
            if child.process is not None and (code := child.process.poll()) is not None:
                self._ended(child, code)
        self._kill_hung()
        done = {child.name for child in self.children if child.done}
        waiting = [child for child in self.children if not child.running and not child.done and done >= {*child.after}]
        now = time.monotonic()
        for child in waiting:
            if child.due <= now and self.exit_code is None:
                self._start(child)
        pauses = [max(0.0, child.due - now) for child in waiting if not child.running]
        if any(child.heartbeats and child.running for child in self.children):
            pauses.append(LOOK_EVERY)
        return min(pauses, default=None)

    def _kill_hung(self) -> None:
        """Kill the children that hang.

        Missed checks are counted, not seconds: if the machine itself stood still, a child has missed at most one.
        """
        if time.monotonic() - self.looked < LOOK_EVERY * 0.9:
            return
        self.looked = time.monotonic()
        for child in self.children:
            if not child.heartbeats or child.process is None:
                continue
            touched = last_touched(Path(child.heartbeats) / child.id)
            child.missed = child.missed + 1 if touched == child.touched and touched else 0
            child.touched = touched
            if child.missed * LOOK_EVERY >= child.hangs_after:
                say(f"{child.name} hangs; it is killed")
                child.missed = 0
                signal_all(f"{self.id}/{child.name}", signal.SIGKILL)
                child.process.kill()

    def _start(self, child: Child) -> None:
        wanted = os.environ if child.env is None else child.env
        environment = {name: value for name, value in os.environ.items() if name in wanted}
        environment[MARK] = f"{self.id}/{child.name}"
        # some programs (Airflow) rename their process and overwrite its environment; that must not overwrite the mark
        environment["SPT_NOENV"] = "1"
        child.id, child.touched, child.missed = uuid.uuid4().hex, 0, 0
        if child.heartbeats:
            environment[PROCESS_ID] = child.id
        log = None
        try:
            if child.log:
                Path(child.log).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                log = Path(child.log).open("ab")  # noqa: SIM115
            child.process = subprocess.Popen(
                child.argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log and subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches only us; we end the children in order
                preexec_fn=_die_with(os.getpid()),
            )
        except OSError as error:
            say(f"{child.name} cannot be started: {error}")
            self.exit_code = 1
        finally:
            if log:
                log.close()
        child.started = time.monotonic()

    def _ended(self, child: Child, code: int) -> None:
        child.process = None
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        signal_all(f"{self.id}/{child.name}", signal.SIGKILL)  # processes it left would disturb the next one
        if child.job and code == 0:
            child.done = True
        elif child.job or code == NO_RESTART:
            say(f"{child.name} failed ({how}); stopping everything")
            self.exit_code = 1
        else:
            lived = time.monotonic() - child.started
            child.wait = 0.5 if lived > SETTLED else min(child.wait * 2, LONGEST_WAIT)
            child.due = time.monotonic() + child.wait
            say(f"{child.name} ended ({how}); starting it again in {child.wait:.0f} s")

    def _keep_guard(self) -> None:
        if self.guard is not None and self.guard.poll() is None:
            return
        self.guard = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, "--guard", self.id],
            stdin=subprocess.PIPE,  # the guard acts when this pipe closes
            start_new_session=True,
            pass_fds=self.keep_open,
        )

    def _stop(self) -> None:
        running = [(child, child.process) for child in self.children if child.process is not None]
        for _, process in running:
            process.terminate()  # only the child: it ends its own children in order
        began = time.monotonic()
        while any(process.poll() is None for _, process in running):
            for child, process in running:
                if process.returncode is None and time.monotonic() - began > child.grace:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(process.pid, signal.SIGKILL)
            time.sleep(0.05)
        clear(self.id, within=1.0)
        if self.guard is not None and self.guard.stdin is not None:
            self.guard.stdin.close()
            self.guard.wait()


def _die_with(parent: int) -> Any:
    def in_child() -> None:
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # the parent died before that call: no signal will come
                os._exit(1)

    return in_child


def last_touched(file: Path) -> int:
    """The file's time of modification, by the file system's clock; 0 if there is no such file."""
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0


def marked(mark: str) -> list[int]:
    """The running processes with this mark, or with a mark that begins with it; empty without /proc."""
    wanted = f"\0{MARK}={mark}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in b"\0" + (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return [pid for pid in found if pid != os.getpid()]


def signal_all(mark: str, number: int) -> int:
    """Send a signal to every marked process. Returns how many there were."""
    pids = marked(mark)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
    return len(pids)


def clear(mark: str, *, within: float) -> None:
    """End every marked process: SIGTERM first, SIGKILL after `within` seconds."""
    began = time.monotonic()
    if not signal_all(mark, signal.SIGTERM):
        return
    while marked(mark):
        if time.monotonic() - began > within:
            signal_all(mark, signal.SIGKILL)
        time.sleep(0.05)


def guard(mark: str) -> int:
    """Wait until the supervisor has ended for any reason, then end the processes it left."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    clear(mark, within=4.0)
    return 0


def say(line: str) -> None:
    print(f"[gatehouse] {line}", file=sys.stderr, flush=True)  # noqa: T201


def main(arguments: list[str]) -> int:
    if arguments[0] == "--guard":
        return guard(arguments[1])
    plan = json.loads(arguments[0])
    children = [Child(**child) for child in plan["children"]]
    return Supervisor(children, keep_open=plan["keep_open"], mark=plan["mark"]).run()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
