"""The portal's "now": the clock of the database, which all hosts of the portal share.

A host whose clock is wrong, or is changed while the portal runs, must not start or end anything at the wrong time. On
PostgreSQL the database is asked once in EVERY seconds; in between, the host's monotonic clock is added. SQLite has no
clock of its own, and only processes of one host use it. With SQLite the host's clock is used.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

EVERY = 30.0
STEP = 0.5
"""Seconds by which the host's clock and its monotonic clock may drift apart before the database is asked again. They
drift when somebody sets the host's clock, and when the machine sleeps, which a monotonic clock does not count."""
NOTABLE = timedelta(seconds=2)
"""From this difference on, people are told that two clocks differ."""


@dataclass(frozen=True)
class Reading:
    """The database's time, with the host's monotonic clock and the host's clock at the same moment."""

    database: datetime
    monotonic: float
    host: float


_reading: Reading | None = None
_asking = threading.Lock()


def now() -> datetime:
    """The time by the database's clock. If the database does not answer, its last answer is extrapolated."""
    if not has_own_clock():
        return timezone.now()
    reading = _reading
    if reading is None or _is_old(reading):
        reading = measure() or reading
    if reading is None:
        return timezone.now()
    return reading.database + timedelta(seconds=time.monotonic() - reading.monotonic)


def ahead() -> timedelta:
    """How far this host's clock is ahead of `now()`; negative if it is behind."""
    moment = now()
    return timezone.now() - moment


def iso_or_empty(moment: datetime | None) -> str:
    """ISO 8601 in UTC; empty without a moment."""
    return "" if moment is None else moment.astimezone(UTC).isoformat()


def has_own_clock() -> bool:
    """Whether the database has its own clock."""
    return connection.vendor == "postgresql"


def measure() -> Reading | None:
    """Ask the database for the time. None if it does not answer, or if another thread is already asking."""
    global _reading
    if not _asking.acquire(blocking=False):
        return None
    try:
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")  # now() would give the start of the transaction
            (moment,) = cursor.fetchone()
        ended = time.monotonic()
    except (DatabaseError, InterfaceError):
        return None
    finally:
        _asking.release()
    _reading = Reading(moment.astimezone(UTC), (began + ended) / 2, time.time())
    return _reading


def _is_old(reading: Reading) -> bool:
    passed = time.monotonic() - reading.monotonic
    return passed > EVERY or abs(time.time() - reading.host - passed) > STEP
