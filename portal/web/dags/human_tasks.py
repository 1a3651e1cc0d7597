"""The rows of templates/dags/_human_tasks.html."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.dags.human import airflow_url
from portal.dags.models import WaitingTask

SHOWN = 20


@dataclass(frozen=True)
class Row:
    """A waiting task, and the page in Airflow on which it is answered."""

    task: WaitingTask
    url: str


def rows(found: Iterable[WaitingTask]) -> list[Row]:
    """The first tasks, for the page of a DAG or the home page."""
    return [Row(task, airflow_url(task)) for task in list(found)[:SHOWN]]
