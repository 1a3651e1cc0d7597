"""The data of the log of a failed task, from the stored rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from portal.dags.models import Run, TaskLog
from portal.dags.runs import logs, tasks


@dataclass(frozen=True)
class Line:
    number: int
    text: str
    is_error: bool


@dataclass(frozen=True)
class Attempt:
    """One attempt of a task, with its stored log. map_index: -1 if the task is not mapped."""

    run: Run
    task: str
    map_index: int
    number: int
    of: int
    """The newest attempt."""
    log: TaskLog | None
    why_no_logs: str

    @property
    def name(self) -> str:
        return f"{self.task}[{self.map_index}]" if self.map_index >= 0 else self.task

    @property
    def lines(self) -> list[Line]:
        if self.log is None:
            return []
        first, error_at = self.log.excerpt_from, self.log.error_at
        return [Line(first + n, text, first + n == error_at) for n, text in enumerate(self.log.excerpt)]

    @property
    def error(self) -> str:
        """The line with the error."""
        return next((line.text for line in self.lines if line.is_error), "")

    @property
    def url(self) -> str:
        return log_url(self.run, self.task, self.map_index, self.number)

    @property
    def others(self) -> list[tuple[int, str]]:
        """The other attempts with their addresses, the newest ones."""
        numbers = range(max(1, self.of - 9), self.of + 1)
        return [(n, log_url(self.run, self.task, self.map_index, n)) for n in numbers if n != self.number]


def log_url(run: Run, task: str, map_index: int, number: int) -> str:
    asked = {"task": task, "try": number, **({"map_index": map_index} if map_index >= 0 else {})}
    return f"{reverse('run_log', args=[run.ref])}?{urlencode(asked)}"


def attempt(run: Run, task: str, map_index: int, number: int, rows: list[Any]) -> Attempt:
    row: Mapping[str, Any] = next((row for row in rows if row["task"] == task), {})
    newest = max(number, row.get("tries", number) if map_index < 0 else number)
    log = logs.log_of(run, task, map_index, number)
    return Attempt(run, task, map_index, number, newest, log, logs.why_no_logs(run))


def first(run: Run, rows: list[Any]) -> Attempt | None:
    """The attempt that failed first in a failed run; None if no task failed."""
    found = tasks.first_failure(rows) if run.status == Run.Status.FAILED else None
    return attempt(run, *found, rows) if found else None
