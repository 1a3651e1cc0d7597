"""The portal's processes, by their signs of life: who lives, who is silent, who has ended."""

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
"""Without a sign of life for so long, a process is told as silent; three may be missed."""
FORGOTTEN = timedelta(hours=1)
"""After so long a silence it is no longer listed: its host is gone."""


def living() -> QuerySet[Process]:
    """Those that gave a sign of life of late, the silent ones included, and have not ended."""
    rows = Process.objects.filter(ended_at=None, seen_at__gt=clock.now() - FORGOTTEN)
    return rows.order_by("name", "started_at", "pk")


def is_silent(process: Process) -> bool:
    return process.seen_at <= clock.now() - SILENT


def found_dead() -> list[str]:
    """The ids of this host's processes that no longer live. Once what they held is free, `bury` them.

    Proof is the lock on a process's file: the kernel frees it when the process is gone, and not before.
    """
    return [file.name for file in _files() if file.name != heartbeat.process_id() and _is_free(file)]


def bury(process_id: str) -> None:
    """Note the end of a process that no longer lives."""
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
