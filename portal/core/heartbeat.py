"""The heartbeat of one process of the portal: a file that is touched, and a row in the database.

The file works without a database: the supervisor restarts a child that no longer touches its file. The process holds a
lock on the file. The kernel releases the lock when the process ends for any reason, and then others may take over the
operations that the process had claimed. The row tells the same to other hosts and to people
(portal/operations/processes.py reads it). Plain SQL, because beat runs without the portal's Django apps.
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import socket
import threading
import uuid
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from portal.core import clock
from portal.core.threads import errors_logged

log = logging.getLogger(__name__)

ID = "PROCESS_ID"
"""The environment variable with which the supervisor gives a child its id, which is the name of its file."""
TOUCH_EVERY = 2.0
WRITE_EVERY = 10.0

_own = ""
_file: int | None = None
_written = False


def process_id() -> str:
    """The id of this start of this process. It is never reused, unlike process numbers and host names."""
    global _own
    if not _own:
        _own = os.environ.pop(ID, "") or uuid.uuid4().hex
    return _own


def _forget() -> None:
    """A forked process needs a new id."""
    global _own, _file, _written
    _own, _file, _written = "", None, False


os.register_at_fork(after_in_child=_forget)


def folder() -> Path:
    """The folder with the heartbeat files of this host's processes."""
    return Path(settings.DATA_DIR) / "processes"


def begin(name: str, *, alive: Callable[[], bool] = lambda: True, writes: bool = True) -> None:
    """Start sending heartbeats, in background threads.

    alive: asked before each heartbeat; while it returns false, the file is not touched. writes: also update the row;
    if false, the caller does that with `write`.
    """
    _take_file()
    run_every(TOUCH_EVERY, lambda: touch() if alive() else None, name="pulse")
    if writes:
        atexit.register(end)
        run_every(WRITE_EVERY, lambda: write(name), name="heartbeat")


def run_every(seconds: float, work: Callable[[], object], *, name: str) -> threading.Event:
    """Call `work` in a background thread, at once and after each pause, until the event is set. Errors are logged."""
    stop = threading.Event()

    def go_on() -> None:
        while True:
            with errors_logged(name):
                work()
            if stop.wait(seconds):
                connection.close()
                return

    threading.Thread(target=go_on, name=name, daemon=True).start()
    return stop


def _take_file() -> None:
    """Created and locked under another name first: others would take an unlocked file for that of a dead process."""
    global _file
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder() / f".{process_id()}"
        _file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(_file, fcntl.LOCK_EX)
        draft.rename(folder() / process_id())
    except OSError as error:  # a full disk: our claims become free when their lease ends
        log.warning("the heartbeat file cannot be written in %s: %s", folder(), error.strerror)


def touch() -> None:
    if _file is not None:
        os.utime(_file)


def write(name: str) -> None:
    """Update this process's row, with the difference of the host's clock. Raises DatabaseError."""
    global _written
    clock.measure()
    now = connection.ops.adapt_datetimefield_value(clock.now())
    ahead = round(clock.ahead().total_seconds() * 1000)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE operations_process SET seen_at = %s, ahead_ms = %s WHERE id = %s", [now, ahead, process_id()]
        )
        if not cursor.rowcount:
            cursor.execute(
                "INSERT INTO operations_process (id, name, host, pid, started_at, seen_at, ahead_ms) "
                "VALUES (%s, %s, %s, %s, %s, %s, %s)",
                [process_id(), name, socket.gethostname()[:120], os.getpid(), now, now, ahead],
            )
    _written = True


def end() -> None:
    """Record that this process ends normally, if the database answers."""
    if not _written:
        return
    try:
        now = connection.ops.adapt_datetimefield_value(clock.now())
        with connection.cursor() as cursor:
            cursor.execute("UPDATE operations_process SET ended_at = %s WHERE id = %s", [now, process_id()])
    except (DatabaseError, InterfaceError) as error:
        log.warning("the end of this process could not be recorded: %s", error)
