"""On SQLite, a cursor whose statement failed is closed at once.

Django leaves it open, in a reference cycle with its error (django/db/utils.py). The garbage collection of Python 3.11
frees it later, in any thread. For that it needs the mutex of the cursor's connection. A thread that waits for the write
lock holds that mutex. If the collection runs in the thread that has the write lock, both wait until the timeout of the
lock (10 s, portal.env). Seen with Python 3.11.7, not with 3.12.1 and 3.13.0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper


def close_failed(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """A wrapper of Django's `execute`."""
    try:
        return execute(sql, params, many, context)
    except BaseException:
        context["cursor"].close()
        raise


def watch(connection: BaseDatabaseWrapper, **_: object) -> None:
    """For the signal connection_created."""
    if connection.vendor == "sqlite" and close_failed not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, close_failed)
