"""The dates between which a DAG runs: outside of them Airflow runs none of its tasks, and calls that a success."""

from __future__ import annotations

from datetime import datetime


def outside(moment: datetime, start: datetime | None, end: datetime | None) -> str:
    """A sentence where `moment`, a run's logical date, is not between them; else empty."""
    if end is not None and moment > end:
        return f"The DAG's end date, {end:%Y-%m-%d}, has passed."
    if start is not None and moment < start:
        return f"The DAG's start date, {start:%Y-%m-%d}, is in the future."
    return ""
