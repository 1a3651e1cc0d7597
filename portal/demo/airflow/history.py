"""Past runs of the demo's DAGs, written into the database of its Airflow, so that pictures of runs are not empty.

They have no tasks and no logs. Only the first start of a demo writes them.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

RUNS = 20
EVERY = timedelta(hours=11)
# seconds that a run takes, and the share of failed runs
PAST = {
    "sales_report": (4.0, 0.15),
    "payroll_close": (3.0, 0.0),
    "warehouse_backup": (58.0, 0.05),
    "flaky_import": (11.0, 0.1),
    "every_param": (2.0, 0.0),
}
COLUMNS = ("dag_id", "run_id", "run_type", "state", "queued_at", "start_date", "end_date", "updated_at")
INTERVAL = ("data_interval_start", "data_interval_end")
DATES = ("logical_date", "execution_date", "run_after")  # their names in the releases


def write(database: Path, *, now: datetime | None = None) -> int:
    """Write the past runs of the DAGs that Airflow knows and that have none. Returns how many were written."""
    now = now or datetime.now(UTC)
    with contextlib.closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        known = {name for (name,) in connection.execute("SELECT dag_id FROM dag")}
        used = {name for (name,) in connection.execute("SELECT DISTINCT dag_id FROM dag_run")}
        there = [column for _, column, *_ in connection.execute("PRAGMA table_info(dag_run)")]
        dates = [name for name in (*DATES, *INTERVAL) if name in there]
        template = connection.execute("SELECT max(id) FROM log_template").fetchone()[0]
        names = [*COLUMNS, *dates, "log_template_id"]
        statement = f"INSERT INTO dag_run ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
        rows = [
            (*row, *[row[4]] * len(dates), template)
            for dag_id in PAST
            if dag_id in known - used
            for row in _runs(dag_id, now)
        ]
        connection.executemany(statement, rows)
    return len(rows)


def _runs(dag_id: str, now: datetime) -> Iterator[tuple[str, ...]]:
    """The values of COLUMNS, oldest first. The same DAG always has the same durations and results."""
    seconds, failing = PAST[dag_id]
    chance = random.Random(dag_id)  # noqa: S311 - a picture, no secret
    for number in range(RUNS, 0, -1):
        start = now - number * EVERY + timedelta(minutes=chance.randint(0, 90))
        failed = chance.random() < failing
        took = seconds * chance.uniform(0.8, 1.5) * (0.4 if failed else 1.0)
        end = start + timedelta(seconds=took)
        at, over = _text(start), _text(end)
        run_id = f"manual__{start.isoformat()}"
        yield dag_id, run_id, "manual", "failed" if failed else "success", at, at, over, over


def _text(moment: datetime) -> str:
    """A time as Airflow stores it in SQLite: UTC, without its zone."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
