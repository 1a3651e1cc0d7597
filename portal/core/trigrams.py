"""A PostgreSQL index (pg_trgm) for searching any part of a text. On SQLite a search reads all rows.

pg_trgm is a trusted extension: a role that may create objects in the database may create it. If the role may not, the
search still works but reads all rows; docs/audit.md has the two statements that create the index.
"""

from __future__ import annotations

import logging

from django.db import DatabaseError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

log = logging.getLogger(__name__)


def index(schema_editor: BaseDatabaseSchemaEditor, *, table: str, column: str) -> None:
    """Create the index `<table>_<column>_trgm`, if that is possible. For migrations."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            cursor.execute(f'CREATE INDEX "{name(table, column)}" ON "{table}" USING gin ("{column}" gin_trgm_ops)')
    except DatabaseError as error:
        log.warning("search in %s has no index, because pg_trgm cannot be created: %s", table, error)


def drop(schema_editor: BaseDatabaseSchemaEditor, *, table: str, column: str) -> None:
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f'DROP INDEX IF EXISTS "{name(table, column)}"')


def name(table: str, column: str) -> str:
    return f"{table}_{column}_trgm"
