"""Rate limits, counted in the database: one count for all processes and hosts.

There is one row per key. Rows whose window is over are deleted when a new window is opened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.models import F
from django.utils.crypto import salted_hmac

from accounts.models import RateCount
from portal.core import clock

Answer = TypeVar("Answer")

log = logging.getLogger(__name__)
SWEPT = 100  # rows of closed windows that are deleted with each new window
SHORT_WAIT = 250  # milliseconds that a best-effort write waits for a lock

_COUNT_ONE = """
INSERT INTO accounts_ratecount (key, ends, count) VALUES (%(key)s, %(ends)s, 1)
ON CONFLICT (key) DO UPDATE SET
  count = CASE WHEN accounts_ratecount.ends > %(now)s THEN accounts_ratecount.count + 1 ELSE 1 END,
  ends = CASE WHEN accounts_ratecount.ends > %(now)s THEN accounts_ratecount.ends ELSE excluded.ends END
RETURNING count, ends
"""


@dataclass(frozen=True)
class Limit:
    """At most `most` times within `seconds`, counted from the first time."""

    name: str
    most: int
    seconds: int

    def count(self, *about: object) -> tuple[int, int]:
        """Count one more for `about`. Returns the count, and the seconds until the window ends.

        The call is allowed if the count is at most `most`.
        """
        now = int(clock.now().timestamp())
        with connection.cursor() as cursor:
            cursor.execute(_COUNT_ONE, {"key": self._key(*about), "now": now, "ends": now + self.seconds})
            found, ends = cursor.fetchone()
        if found == 1:
            _sweep(now)
        return found, ends - now

    def reached(self, *about: object) -> bool:
        """Count one more for `about`. Returns whether the limit is exceeded."""
        return self.count(*about)[0] > self.most

    def take_back(self, *about: object) -> None:
        """Subtract the last count for `about`."""
        RateCount.objects.filter(pk=self._key(*about), count__gt=0).update(count=F("count") - 1)

    def _key(self, *about: object) -> str:
        """A keyed hash: it has a fixed length, and what people typed cannot be read from it."""
        return salted_hmac(f"accounts.limits.{self.name}", repr(about), algorithm="sha256").hexdigest()


def _sweep(now: int) -> None:
    """Delete rows whose window is over. Rows that another transaction has locked are skipped."""
    over = RateCount.objects.filter(ends__lte=now)
    with transaction.atomic():
        keys = over.select_for_update(skip_locked=True).values_list("pk", flat=True)[:SWEPT]
        over.filter(pk__in=list(keys)).delete()  # `over` again: a row whose window was reopened meanwhile stays


def best_effort(what: str, write: Callable[[], Answer]) -> Answer | None:
    """Call `write` in a transaction and return its result; None if the database refuses, which is logged.

    For writes that may be lost. It waits only briefly for a lock. Opening the transaction can fail as well.
    """
    try:
        with _short_wait(), transaction.atomic():
            return write()
    except (DatabaseError, InterfaceError) as error:
        log.warning("%s could not be written: %s", what, error)
        return None


@contextmanager
def _short_wait() -> Iterator[None]:
    """SQLite has one writer at a time. PostgreSQL locks only rows, and this module holds its row locks briefly."""
    if connection.vendor != "sqlite":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        before = cursor.fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {SHORT_WAIT}")
        try:
            yield
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {before}")
