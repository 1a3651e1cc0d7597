"""Databases of the release before format 1 of the trail, with a story in them: requests in every status, grants, runs,
variables, refused attempts (some counted and no event yet), exports and a verification.

Whole databases of that release, as SQL dumps for SQLite and PostgreSQL. The fixture `load` makes one of each.
"""

from __future__ import annotations

import gzip
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.services import new_database
from tests.serving.test_serve import manage

DATA = Path(__file__).parent / "data"
OLD = ("seq", "at", "actor", "on_behalf_of", "token", "source", "verb", "outcome", "target", "payload", "hash")


@dataclass
class Database:
    """A database of the earlier release, and after `upgrade` one of this."""

    folder: Path
    url: str
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
        made = manage(self.folder, *command, GATEHOUSE_DATABASE_URL=self.url)
        assert made.returncode in (0, 1), made.stderr
        return made.stdout + made.stderr

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

    def verified(self) -> dict[str, Any]:
        return json.loads(self.manage("audit", "verify", "--json"))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def load(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """load("name") makes such a database."""
    dump = gzip.decompress((DATA / f"before_format_1.{request.param}.sql.gz").read_bytes()).decode()

    def make(name: str) -> Database:
        folder = tmp_path_factory.mktemp(name)
        if request.param == "sqlite":
            url = f"sqlite:///{folder}/old.sqlite3"
            with sqlite3.connect(folder / "old.sqlite3") as file:
                file.executescript(dump)
        else:
            url = new_database(request.getfixturevalue("postgres_url"), name)
            with psycopg.connect(url, autocommit=True) as server:
                server.execute(dump)
        return Database(folder, url)

    yield make
