"""Checks that the database still protects the trail: the migrations' triggers exist, enabled and unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib import import_module

from django.db import connection

TABLES = ("audit_auditevent", "audit_auditreference", "audit_audithead")
_made = import_module("portal.audit.migrations._guards_of_format_1")
_TRIGGER = re.compile(
    r"CREATE TRIGGER (?P<name>\w+) (?P<when>BEFORE|AFTER) (?P<what>[A-Z ]+) ON (?:\w+\.)?(?P<table>\w+) "
    r"FOR EACH (?P<each>ROW|STATEMENT) EXECUTE FUNCTION (?:\w+\.)?(?P<function>\w+)\(\)"
)
Shape = tuple[object, ...]


def problems() -> list[str]:
    """What is wrong with the guards, in words; empty if all are in place."""
    return list(_on_sqlite() if connection.vendor == "sqlite" else _on_postgresql())


def _on_sqlite() -> Iterator[str]:
    wanted = {sql.split()[2]: _even(sql) for sql in _made.SQLITE}
    with connection.cursor() as cursor:
        marks = ", ".join(["%s"] * len(TABLES))
        cursor.execute(f"SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name IN ({marks})", TABLES)  # noqa: S608
        found = {name: _even(sql) for name, sql in cursor.fetchall()}
    yield from _differences(wanted, found)


def _on_postgresql() -> Iterator[str]:
    wanted: dict[str, object] = {}
    bodies: dict[str, str] = {}
    for sql in map(_even, [*_made.POSTGRES_FUNCTIONS, *_made.POSTGRES_TRIGGERS]):
        if sql.startswith("CREATE OR REPLACE FUNCTION"):
            bodies[sql.split()[4].removesuffix("()")] = sql.split("$$")[1].strip()
        else:
            wanted[sql.split()[2]] = _shape(sql)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tgname, pg_get_triggerdef(t.oid), tgenabled, proname, prosrc, proconfig IS NULL FROM pg_trigger t "
            "JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT tgisinternal AND tgrelid::regclass::text = ANY(%s)",
            [list(TABLES)],
        )
        rows = cursor.fetchall()
        cursor.execute("SELECT rulename FROM pg_rules WHERE tablename = ANY(%s)", [list(TABLES)])
        rules = [name for (name,) in cursor.fetchall()]
        cursor.execute("SHOW session_replication_role")
        (role,) = cursor.fetchone()
    yield from _differences(wanted, {name: _shape(_even(definition)) for name, definition, *_ in rows})
    for name, _, enabled, function, body, plain in rows:
        if name in wanted and enabled not in ("O", "A"):
            yield f"The guard {name} of the trail is switched off."
        if name in wanted and (_even(body) != bodies.get(function) or not plain):
            yield f"The guard {name} of the trail was changed: it calls a different function, {function}()."
    for name in rules:
        yield f"The rule {name} on the trail's tables is not Gatehouse's."
    if role == "replica":
        yield "All guards of the trail are off for Gatehouse's sessions (session_replication_role = replica)."


def _differences(wanted: Mapping[str, object], found: Mapping[str, object]) -> Iterator[str]:
    for name in wanted:
        if name not in found:
            yield f"The guard {name} of the trail is missing."
        elif wanted[name] != found[name]:
            yield f"The guard {name} of the trail was changed."
    for name in sorted(found.keys() - wanted.keys()):
        yield f"The trigger {name} on the trail's tables is not Gatehouse's."


def _shape(sql: str) -> Shape:
    """The parts of a PostgreSQL trigger, independent of spelling; the text itself if it does not match the pattern."""
    found = _TRIGGER.fullmatch(sql)
    if found is None:
        return (sql,)
    return (*found.group("name", "when", "table", "each", "function"), frozenset(found["what"].split(" OR ")))


def _even(sql: str) -> str:
    return " ".join(sql.split())
