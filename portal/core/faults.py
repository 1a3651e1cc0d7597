"""Messages for a database that cannot be used now: it is locked, its disk is full, or it does not answer."""

from __future__ import annotations

from django.db import InterfaceError, OperationalError

RETRY_AFTER = 10
"""Seconds after which a retry is worthwhile."""
FULL = ("disk is full", "no space left", "disk full")
BUSY = ("locked", "lock timeout", "deadlock")


def is_of_the_database(error: BaseException | None) -> bool:
    """Whether the database itself failed, rather than the statement sent to it."""
    return isinstance(error, OperationalError | InterfaceError)


def words(error: BaseException) -> str:
    """What is wrong, and what to do. The database's own message is left out, because it names files and addresses."""
    said = str(error).casefold()
    if any(sign in said for sign in FULL):
        return "The disk of Gatehouse's database is full. Nothing was changed. Tell a platform admin."
    if any(sign in said for sign in BUSY):
        return f"Gatehouse's database is busy. Nothing was changed. Try again in {RETRY_AFTER} seconds."
    return f"Gatehouse's database does not answer. Nothing was changed. Try again in {RETRY_AFTER} seconds."
