"""What has to be settled before the demo's processes start: one demo at a time, ports, a clean family, the config."""

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
from portal.serving import family, supervisor

MARK = "gatehouse-demo-" + hashlib.sha256(str(place.FOLDER).encode()).hexdigest()[:12]
TIMEOUT = 15.0
SPACE_NEEDED = 200  # MB, besides Airflow's own environment


class CannotStart(Exception):
    """Why the demo does not start, and the way out."""


def only_one() -> int:
    """Hold the demo's lock; its file descriptor, held by whoever runs the demo. Raises CannotStart naming the other."""
    place.FOLDER.mkdir(mode=0o700, exist_ok=True)
    place.FOLDER.chmod(0o700)  # reading the settings may have made it, open to all
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
            time.sleep(0.1)  # it was killed a moment ago: its guard is still ending what it left


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid > 0


def write_down(lock: int, *, url: str) -> None:
    """For the next one who tries to start: who holds the lock, and where it answers."""
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps({"pid": os.getpid(), "url": url}).encode(), 0)


def choose_port(preferred: int, *, whose: str, say: Callable[[str], None]) -> tuple[int, int]:
    """The preferred port, or a free one when that is busy, and then says so; and the claim to hold on to."""
    port = preferred
    while (claim := claim_port(port)) is None:
        with socket.socket() as probe:
            probe.bind((place.HOST, 0))
            port = int(probe.getsockname()[1])
    if port != preferred:
        say(f"port {preferred} is in use; {whose} uses {port}")
    return port, claim


def claim_port(port: int) -> int | None:
    """A file descriptor that keeps other demos away from the port; None when somebody has it.

    Tens of seconds pass until Airflow listens. Another demo of this machine that took the same port meanwhile would
    find our Airflow there, with the same administrator, and take it for its own.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if sys.platform == "linux":  # a name without a file, which the kernel frees with its last holder
            claim.bind(f"\0gatehouse-demo-port-{port}")
        family.check_free(place.HOST, port)
    except (OSError, family.PortBusy):
        claim.close()
        return None
    return claim.detach()


def prepare(*, ports: Mapping[str, int]) -> None:
    """Clear what an earlier demo left running or lying about, and write the catalogue file. Raises CannotStart.

    ports: of each deployment that this demo has.
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
    """Forget everything but the lock, which is held."""
    supervisor.clear(MARK, within=3.0)
    for entry in place.FOLDER.iterdir():
        if entry.name != "lock":
            _remove(entry)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()
