"""Databases of the release before format 1 of the trail, with a story in them: requests in every status, grants, runs,
variables, refused attempts (some counted and no event yet), exports and a verification.

Whole databases of that release, as SQL dumps for SQLite and PostgreSQL. The fixture `load` makes one of each.
Commands run in this process, on that database in place of the tests' own.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import environ
import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.utils import ConnectionHandler
from pytest_django import DjangoDbBlocker

from tests.services import new_database

DATA = Path(__file__).parent / "data"
OLD = ("seq", "at", "actor", "on_behalf_of", "token", "source", "verb", "outcome", "target", "payload", "hash")


@dataclass
class Database:
    """A database of the earlier release, and after `upgrade` one of this."""

    url: str
    blocker: DjangoDbBlocker
    events: list[dict[str, Any]] = field(default_factory=list)  # as they were before
    refusals: list[dict[str, Any]] = field(default_factory=list)

    @property
    def vendor(self) -> str:
        return "sqlite" if self.url.startswith("sqlite") else "postgresql"

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        if self.vendor == "sqlite":
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as file:
                return file.execute(sql).fetchall()
        with psycopg.connect(self.url, autocommit=True) as server:
            found = server.execute(sql)
            return found.fetchall() if found.description else []

    def rows(self, table: str, *columns: str, order: str = "seq") -> list[dict[str, Any]]:
        told = self.ask(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")
        return [dict(zip(columns, row, strict=True)) for row in told]

    def manage(self, *command: str) -> str:
        """What `manage.py` says to this."""
        said = io.StringIO()
        with self.blocker.unblock(), in_place_of_ours(self.url):
            try:
                call_command(*command, stdout=said)
            except SystemExit as ended:
                assert ended.code == 1
        return said.getvalue()

    def upgrade(self) -> Database:
        self.events = self.rows("audit_auditevent", *OLD)
        self.refusals = self.entries()
        assert "Applying audit.0005_format_1... OK" in self.manage("migrate")
        return self

    def entries(self) -> list[dict[str, Any]]:
        return [
            json.loads(entry) if isinstance(entry, str) else entry
            for (entry,) in self.ask("SELECT entry FROM audit_repeatedrefusal ORDER BY id")
        ]

    def new(self) -> list[dict[str, Any]]:
        return self.rows("audit_auditevent", *OLD[:-1], "prev", "leaf", "chain")

    def about(self, seq: int) -> set[str]:
        return {one for (one,) in self.ask(f"SELECT reference FROM audit_auditreference WHERE seq = {seq}")}

    def copy(self, name: str) -> Database:
        """One like it; `name` is new."""
        if self.vendor == "sqlite":
            url = self.url.replace("old.sqlite3", f"{name}.sqlite3")
            shutil.copy(self.url.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        else:
            server, _, template = self.url.rpartition("/")
            url = new_database(f"{server}/postgres", name, template=template)
        return replace(self, url=url)

    def verified(self) -> dict[str, Any]:
        return json.loads(self.manage("audit", "verify", "--json"))


@contextlib.contextmanager
def in_place_of_ours(url: str) -> Iterator[None]:
    """In this thread Django's database is the one at `url`."""
    ours = connections[DEFAULT_DB_ALIAS]
    options = {"OPTIONS": {"transaction_mode": "IMMEDIATE"}} if url.startswith("sqlite") else {}
    connections[DEFAULT_DB_ALIAS] = ConnectionHandler(
        {DEFAULT_DB_ALIAS: environ.Env.db_url_config(url) | options}
    ).create_connection(DEFAULT_DB_ALIAS)
    try:
        yield
    finally:
        connections[DEFAULT_DB_ALIAS].close()
        connections[DEFAULT_DB_ALIAS] = ours
        ContentType.objects.clear_cache()  # it has other keys there


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def load(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: DjangoDbBlocker
) -> Iterator[Any]:
    """load("name") makes such a database."""
    dump = gzip.decompress((DATA / f"before_format_1.{request.param}.sql.gz").read_bytes()).decode()

    def make(name: str) -> Database:
        if request.param == "sqlite":
            path = tmp_path_factory.mktemp(name) / "old.sqlite3"
            url = f"sqlite:///{path}"
            with contextlib.closing(sqlite3.connect(path)) as file:
                file.executescript(dump)
        else:
            url = new_database(request.getfixturevalue("postgres_url"), name)
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(dump)
        return Database(url, django_db_blocker)

    yield make
