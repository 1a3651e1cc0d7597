"""The portal's processes and their heartbeats: alive, silent or ended."""

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
"""A process without a heartbeat for this time is silent. Three heartbeats may be missing."""
FORGOTTEN = timedelta(hours=1)
"""A process without a heartbeat for this time is no longer listed, because its host is gone."""


def living() -> QuerySet[Process]:
    """The processes that have not ended. Silent ones are included, but not those silent for FORGOTTEN."""
    rows = Process.objects.filter(ended_at=None, seen_at__gt=clock.now() - FORGOTTEN)
    return rows.order_by("name", "started_at", "pk")


def is_silent(process: Process) -> bool:
    return process.seen_at <= clock.now() - SILENT


def found_dead() -> list[str]:
    """The ids of this host's processes that have ended. Call `mark_ended` after releasing their operations.

    A process locks a file while it runs. The kernel releases the lock when the process ends, and not before.
    """
    return [file.name for file in _files() if file.name != heartbeat.process_id() and _is_free(file)]


def mark_ended(process_id: str) -> None:
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
    """Delete the rows of processes whose last heartbeat is older. Returns how many."""
    count, _ = Process.objects.filter(seen_at__lte=clock.now() - older_than).delete()
    return count
