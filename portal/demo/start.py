"""Steps before the demo's processes start: one demo at a time, ports, leftover processes, the catalogue file."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from portal.demo import deployments, place
from portal.serving import processes, supervisor

MARK = "gatehouse-demo-" + hashlib.sha256(str(place.FOLDER).encode()).hexdigest()[:12]
TIMEOUT = 15.0
SPACE_NEEDED = 200  # MB, besides Airflow's own environment


class CannotStart(Exception):
    """Why the demo does not start, and what to do."""


def only_one() -> int:
    """Take the demo's lock. Returns its file descriptor. Raises CannotStart that names the running demo."""
    place.FOLDER.mkdir(mode=0o700, exist_ok=True)
    place.FOLDER.chmod(0o700)  # reading the settings may have created it, readable by all
    lock = os.open(place.FOLDER / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            other = json.loads(os.pread(lock, 1000, 0) or b"{}")
            if _alive(other.get("pid", 0)) or time.monotonic() > deadline:
                where = f" at {other['url']}" if other.get("url") else ""
                raise CannotStart(
                    f"The demo is already running{where} (process {other.get('pid', 'unknown')}). Stop it with Ctrl-C."
                ) from None
            time.sleep(0.1)  # it was just killed: its guard is ending its processes


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def write_down(lock: int, *, url: str) -> None:
    """Record for the next start who holds the lock, and at which address the demo answers."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)


def choose_port(preferred: int, *, whose: str, say: Callable[[str], None]) -> tuple[int, int]:
    """The preferred port, or a free one if it is busy, which is reported. Also returns the claim on the port."""
    port = preferred
    while (claim := claim_port(port)) is None:
        with socket.socket() as probe:
            probe.bind((place.HOST, 0))
            port = int(probe.getsockname()[1])
    if port != preferred:
        say(f"port {preferred} is in use; {whose} uses {port}")
    return port, claim


def claim_port(port: int) -> int | None:
    """A file descriptor that keeps other demos away from the port; None if another process has it.

    Airflow listens only after tens of seconds. Another demo on this machine could choose the same port meanwhile. It
    would then find our Airflow there, with the same administrator, and use it as its own.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if sys.platform == "linux":  # a name without a file; the kernel releases it
            claim.bind(f"\0gatehouse-demo-port-{port}")
        processes.check_port_free(place.HOST, port)
    except (OSError, processes.PortBusy):
        claim.close()
        return None
    return claim.detach()


def prepare(*, ports: Mapping[str, int]) -> None:
    """End processes and delete files that an earlier demo left, and write the catalogue file. Raises CannotStart.

    ports: the port of each deployment of this demo.
    """
    supervisor.clear(MARK, within=3.0)
    free = shutil.disk_usage(place.FOLDER).free // 2**20
    if free < SPACE_NEEDED:
        raise CannotStart(f"The disk is full: the demo needs {SPACE_NEEDED} MB in {place.FOLDER}, {free} MB are free.")
    ready = [deployment.ready for deployment in deployments.DEPLOYMENTS.values()]
    for stale in (place.DEMO_JSON, *ready, *place.LOGS.glob("*.log")):
        stale.unlink(missing_ok=True)
    for folder in (place.DATA, place.LOGS):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        parts = [deployments.DEPLOYMENTS[name].described(port=port) for name, port in ports.items()]
    except ValueError as error:
        raise CannotStart(str(error)) from error
    place.CONFIG.write_text("\n".join(parts))


def reset() -> None:
    """Delete everything except the lock file, which is locked."""
    supervisor.clear(MARK, within=3.0)
    for entry in place.FOLDER.iterdir():
        if entry.name != "lock":
            _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
