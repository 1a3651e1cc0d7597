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


def refer(seq: int, *references: str) -> None:
    """Say behind the portal's back that an event is about something else."""
    from portal.audit.models import AuditReference

    with triggers_off():
        AuditReference.objects.filter(seq=seq).delete()
        AuditReference.objects.bulk_create([AuditReference(seq=seq, reference=one) for one in references])


def forge(seq: int, **columns: object) -> None:
    """Change an event behind the portal's back."""
    from portal.audit.models import AuditEvent

    with triggers_off():
        AuditEvent.objects.filter(seq=seq).update(**columns)


STRANGE: dict[str, dict[str, object]] = {
    "text that is no JSON": {"payload": "{"},
    "text that is no object": {"payload": "[]"},
    "text without detail": {"payload": "{}"},
    "text nested too deeply": {"payload": "[" * 100_000},
    "detail that is a list": {"payload": '{"detail":[1]}'},
    "detail without what the verb needs": {"payload": '{"detail":{}}'},
    "detail of other types": {
        "payload": '{"detail":{"before":7,"after":[],"conf":"{","duration":["x"],"ends_at":"2026-99-99T00:00"}}'
    },
    "detail nested deeply": {"payload": '{"detail":{"reason":' + "[" * 900 + "]" * 900 + "}}"},
    "a number too long": {"payload": '{"detail":{"rows":' + "9" * 5000 + "}}"},
    "a verb that needs more": {"verb": "airflow_roles.changed", "payload": '{"detail":{"before":"x","after":{}}}'},
    "a verification that tells nothing": {"verb": "audit.verify_failed", "payload": '{"detail":{"problems":5}}'},
    "a reference beyond 64 bits": {
        "payload": '{{"about":["REQ-{0}","GR-{0}","RUN-{0}"],"detail":{{}}}}'.format("9" * 20),
        "target": "RUN-" + "9" * 20,
    },
    "a reference that is no number": {"payload": '{"about":["REQ-x","GR-٣","RUN-"],"detail":{}}', "target": "RUN-"},
    "references that are none": {"payload": '{"about":[7,{},"","-",":"],"detail":{}}'},
    "the first day there is": {"at": "0001-01-01T00:00:00Z"},
    "the last day there is": {"at": "9999-12-31T23:59:59Z"},
    "an outcome that is none": {"outcome": "maybe", "verb": "no.such_verb"},
}
"""Events as somebody with rights on the database could write them: by name, the columns of one."""


def seed() -> None:
    """The head of an empty trail, as the migrations leave it."""
    from portal.audit.format import GENESIS
    from portal.audit.models import AuditHead

    AuditHead.objects.get_or_create(id=1, defaults={"seq": 0, "chain": GENESIS})
