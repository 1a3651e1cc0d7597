"""A failed statement leaves no open cursor on SQLite, which the garbage collection of another thread would wait for."""

from __future__ import annotations

import sqlite3
import threading

import pytest
from django.db import DatabaseError, connection, transaction

from portal.core.sqlite_cursors import close_failed

pytestmark = pytest.mark.django_db


def test_the_cursor_of_a_failed_statement_is_closed() -> None:
    cursor = connection.cursor()
    with pytest.raises(DatabaseError):
        cursor.execute("SELECT nothing FROM nowhere")
    with pytest.raises(sqlite3.ProgrammingError, match="closed cursor"):
        cursor.cursor.execute("SELECT 1")
    with transaction.atomic(), connection.cursor() as another:
        another.execute("SELECT 1")
        assert another.fetchone() == (1,)


def test_each_connection_is_watched_once() -> None:
    counts: list[int] = []

    def open_twice() -> None:
        for _ in range(2):
            connection.connect()
            counts.append(connection.execute_wrappers.count(close_failed))
            connection.close()

    thread = threading.Thread(target=open_twice)
    thread.start()
    thread.join()
    assert counts == [1, 1]
