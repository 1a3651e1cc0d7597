"""The heartbeat of one process of the portal: a file that is touched, and a row in the database.

The file needs no database: the supervisor restarts a child whose file is touched no longer. The process holds a lock on
it, which the kernel frees with the process, however that ends: what a dead process had claimed is free at once. The row
says the same to other hosts and to people (portal/operations/processes.py reads it). Plain SQL, because beat runs
without the rooms of the portal.
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
"""The environment variable in which the supervisor gives a child its id: the name of its file."""
TOUCH_EVERY = 2.0
WRITE_EVERY = 10.0

_own = ""
_file: int | None = None
_written = False


def process_id() -> str:
    """Of this start of this process: no other process ever has the same, as process numbers and host names may."""
    global _own
    if not _own:
        _own = os.environ.pop(ID, "") or uuid.uuid4().hex
    return _own


def _forget() -> None:
    """A forked process is another one."""
    global _own, _file, _written
    _own, _file, _written = "", None, False


os.register_at_fork(after_in_child=_forget)


def folder() -> Path:
    """Where the files of this host's processes are."""
    return Path(settings.DATA_DIR) / "processes"


def begin(name: str, *, alive: Callable[[], bool] = lambda: True, writes: bool = True) -> None:
    """Send heartbeats from now on, in threads of their own.

    alive: asked before each; the file is not touched where it says no. writes: also keep the row (else the caller does
    that with `write`).
    """
    _take_file()
    every(TOUCH_EVERY, lambda: touch() if alive() else None, name="pulse")
    if writes:
        atexit.register(end)
        every(WRITE_EVERY, lambda: write(name), name="heartbeat")


def every(seconds: float, work: Callable[[], object], *, name: str) -> threading.Event:
    """Do `work` in a thread of its own, at once and after each pause, until the event is set. An error is logged."""
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
    """Made and locked under another name first: a file without a lock would be taken for a dead process's."""
    global _file
    try:
        folder().mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = folder() / f".{process_id()}"
        _file = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(_file, fcntl.LOCK_EX)
        draft.rename(folder() / process_id())
    except OSError as error:  # a full disk: what we claim is free when its lease is over
        log.warning("the heartbeat file cannot be written in %s: %s", folder(), error.strerror)


def touch() -> None:
    if _file is not None:
        os.utime(_file)


def write(name: str) -> None:
    """Keep this process's row, with how far the host's clock is ahead of the database's. Raises DatabaseError."""
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
    """This process ends as it should: say so, where the database answers."""
    if not _written:
        return
    try:
        now = connection.ops.adapt_datetimefield_value(clock.now())
        with connection.cursor() as cursor:
            cursor.execute("UPDATE operations_process SET ended_at = %s WHERE id = %s", [now, process_id()])
    except (DatabaseError, InterfaceError) as error:
        log.warning("the end of this process could not be written down: %s", error)
