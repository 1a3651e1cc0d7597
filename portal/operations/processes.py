"""The portal's processes by their heartbeats: living, silent or ended."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.db.models import QuerySet

from portal.core import clock, heartbeat
from portal.operations.models import Process

SILENT = timedelta(seconds=40)
"""Without a heartbeat for so long, a process is silent; three heartbeats may be missed."""
FORGOTTEN = timedelta(hours=1)
"""Without a heartbeat for so long, it is no longer listed: its host is gone."""


def living() -> QuerySet[Process]:
    """The processes that have not ended, also the silent ones, but not those of hosts that are gone."""
    rows = Process.objects.filter(ended_at=None, seen_at__gt=clock.now() - FORGOTTEN)
    return rows.order_by("name", "started_at", "pk")


def is_silent(process: Process) -> bool:
    return process.seen_at <= clock.now() - SILENT


def found_dead() -> list[str]:
    """The ids of this host's processes that have ended. Call `bury` once their operations are released.

    The lock on a process's file is the proof: the kernel frees it when the process ends, and not before.
    """
    return [file.name for file in _files() if file.name != heartbeat.process_id() and _is_free(file)]


def bury(process_id: str) -> None:
    """Store the end of a process."""
    Process.objects.filter(pk=process_id, ended_at=None).update(ended_at=clock.now())
    (heartbeat.folder() / process_id).unlink(missing_ok=True)


def _files() -> list[Path]:
    try:
        return [file for file in heartbeat.folder().iterdir() if not file.name.startswith(".")]
    except OSError:
        return []


def _is_free(file: Path) -> bool:
    with suppress(OSError):
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        finally:
            os.close(descriptor)
    return False


def forget(*, older_than: timedelta = timedelta(days=1)) -> int:
    """Delete the rows of processes that ended, or fell silent, long ago; how many."""
    count, _ = Process.objects.filter(seen_at__lte=clock.now() - older_than).delete()
    return count
