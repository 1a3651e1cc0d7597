"""The start and end dates of a DAG. For a run outside of them, Airflow runs no tasks and ends it as a success."""

from __future__ import annotations

from datetime import datetime


def outside(moment: datetime, start: datetime | None, end: datetime | None) -> str:
    """A sentence if `moment`, a run's logical date, is before the start or after the end; else empty."""
    if end is not None and moment > end:
        return f"The DAG's end date, {end:%Y-%m-%d}, has passed."
    if start is not None and moment < start:
        return f"The DAG's start date, {start:%Y-%m-%d}, is in the future."
    return ""
