"""The portal's "now": the clock of the database, which every host of the portal shares.

A host whose clock is wrong, or is set while the portal runs, must not end or start anything at the wrong moment. On
PostgreSQL the database is asked once in EVERY seconds; in between, the host's monotonic clock counts on from there. An
SQLite file has no clock, and only processes of one host use it: there the host's clock is taken.
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
"""Seconds by which the host's clock and its monotonic clock may come apart before the database is asked again: the
host's clock was set, or the machine slept, which a monotonic clock does not count."""
NOTABLE = timedelta(seconds=2)
"""From here on a difference between two clocks is said to people."""


@dataclass(frozen=True)
class Reading:
    """What the database's clock showed, at which moment of the host's monotonic clock and of its clock."""

    database: datetime
    monotonic: float
    host: float


_reading: Reading | None = None
_asking = threading.Lock()


def now() -> datetime:
    """The moment by the database's clock. While the database does not answer, counted on from its last answer."""
    if not has_own_clock():
        return timezone.now()
    reading = _reading
    if reading is None or _is_old(reading):
        reading = measure() or reading
    if reading is None:
        return timezone.now()
    return reading.database + timedelta(seconds=time.monotonic() - reading.monotonic)


def ahead() -> timedelta:
    """By how much this host's clock is ahead of `now()`; negative when it is behind."""
    moment = now()
    return timezone.now() - moment


def has_own_clock() -> bool:
    """Whether the database has a clock of its own."""
    return connection.vendor == "postgresql"


def measure() -> Reading | None:
    """Ask the database for the time; None when it does not answer, or another thread is asking it already."""
    global _reading
    if not _asking.acquire(blocking=False):
        return None
    try:
        began = time.monotonic()
        with connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")  # now() would be the beginning of the transaction
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
