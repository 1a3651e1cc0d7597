"""An index for text that is searched by any part of it: PostgreSQL's pg_trgm. SQLite looks through the rows itself.

pg_trgm is a trusted extension: who may create objects in the database may create it. Where even that is not permitted
the search stays right and reads the rows one after another; docs/audit.md names the two statements that mend it.
"""

from __future__ import annotations

import logging

from django.db import DatabaseError, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

log = logging.getLogger(__name__)


def index(schema_editor: BaseDatabaseSchemaEditor, *, table: str, column: str) -> None:
    """Make the index `<table>_<column>_trgm` where it can be made; for migrations."""
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
