"""What a test needs to play the one who tampers with the trail, or to empty the test database after it.

Nothing in the product turns the trail's triggers off: whoever has the rights to can do it by SQL, as here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection


@contextlib.contextmanager
def triggers_off() -> Iterator[None]:
    """Turn every trigger of the test database off, and on again."""
    off, on = _statements()
    with connection.cursor() as cursor:
        for statement in off:
            cursor.execute(statement)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in on:
                cursor.execute(statement)


def _statements() -> tuple[list[str], list[str]]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":  # has no way to disable one, but keeps how each was made
            cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            found = cursor.fetchall()
            return [f'DROP TRIGGER "{name}"' for name, _ in found], [sql for _, sql in found]
        cursor.execute("SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal")
        tables = [table for (table,) in cursor.fetchall()]
        return (
            [f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables],
            [f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables],
        )


@contextlib.contextmanager
def while_it_is_verified(act: Callable[[], object]) -> Iterator[None]:
    """Call `act` once, in the middle of the verification that begins inside."""
    from portal.audit.verify import BATCH

    due = [act]

    def execute_between(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if f"LIMIT {BATCH}" in sql and due:
            due.pop()()
        return execute(sql, params, many, context)

    with connection.execute_wrapper(execute_between):
        yield
    assert not due, "nothing was verified"


def seed() -> None:
    """The head of an empty trail, as the migrations leave it."""
    from portal.audit.models import AuditHead
    from portal.audit.record import GENESIS

    AuditHead.objects.get_or_create(id=1, defaults={"seq": 0, "hash": GENESIS})
