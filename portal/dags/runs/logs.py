"""Task logs as they are stored and shown: as text, without colours and credentials, around the first error.

The worker reads a log line by line (portal.worker.logs). Pages and the API read the rows that it stores here.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet

from portal.core import clock
from portal.core.errors import Missing, Refused
from portal.core.secrecy import HIDDEN, holds_secret
from portal.dags.models import Run, TaskLog, TaskLogPart
from portal.dags.permissions import check_offered, current

if TYPE_CHECKING:  # only for annotations: this module does not call Airflow
    from portal.airflow.bridge import LogLine

AROUND = 20  # lines of an excerpt before and after the error
WHOLE = 2 * AROUND + 1  # a log with so many lines is shown whole
LONGEST_LINE = 2000  # characters of a line that are shown
LARGEST = 64 * 2**20  # characters of a log that are read
PART = 128 * 2**10  # characters of a part
KEPT = timedelta(hours=1)  # parts are deleted so long after somebody viewed the log
MOST_KEPT = 20  # logs with parts; the oldest are deleted first
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
KEY_BEGINS, KEY_ENDS = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY"), re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY")
HIDDEN_LINE = f"{HIDDEN} (Gatehouse hides this line: it holds what looks like a credential)"


class Cleaner:
    """Makes lines fit to be shown: without colours and control characters, shortened, credentials hidden.

    Each line is given to `without_keys` in order. `shown` takes most of the time, so only lines that are kept need it.
    """

    def __init__(self) -> None:
        self._in_key = False

    def without_keys(self, text: str) -> str:
        """The line; hidden if it belongs to a private key, which has several lines."""
        if self._in_key or ("-----" in text and KEY_BEGINS.search(text)):
            self._in_key = not KEY_ENDS.search(text)
            return HIDDEN_LINE
        return text

    def shown(self, text: str) -> str:
        text = CONTROLS.sub("", ESCAPES.sub("", text))
        shown = text[:LONGEST_LINE]
        if holds_secret(shown):
            return HIDDEN_LINE
        return shown if len(text) <= LONGEST_LINE else f"{shown}… ({len(text) - LONGEST_LINE} more characters)"


class Excerpt:
    """Keeps a short log whole, else the lines around its first error, or its last lines without one.

    Lines count from 1. The error stands in the middle where the log has enough lines before and after it.
    """

    def __init__(self) -> None:
        self.error_at: int | None = None
        self.lines = 0
        self._latest: deque[str] = deque(maxlen=WHOLE + AROUND)
        self._added = 0  # number of the last line in `_latest`

    def add(self, text: str, *, is_error: bool) -> None:
        self.lines += 1
        if self.error_at is None and is_error:
            self.error_at = self.lines
        if self.error_at is None or self.lines <= max(self.error_at + AROUND, WHOLE):
            self._latest.append(text)
            self._added = self.lines

    @property
    def kept(self) -> list[str]:
        skipped = self.first - (self._added - len(self._latest) + 1)
        return list(self._latest)[skipped:][: self._last - self.first + 1] if self.lines else []

    @property
    def first(self) -> int:
        """Number of the first kept line; 0 for an empty log."""
        if self.lines <= WHOLE:
            return min(self.lines, 1)
        return self.lines - WHOLE + 1 if self.error_at is None else max(1, self.error_at - AROUND)

    @property
    def _last(self) -> int:
        """Number of the last kept line."""
        if self.lines <= WHOLE or self.error_at is None:
            return self.lines
        return min(self.lines, self.error_at + AROUND)


def log_of(run: Run, task_id: str, map_index: int, try_number: int) -> TaskLog | None:
    return TaskLog.objects.filter(run=run, task_id=task_id, map_index=map_index, try_number=try_number).first()


def why_no_logs(run: Run) -> str:
    """In words, why logs of this run are not shown; empty if they are."""
    try:
        check_offered(current(run.dag), "logs")
    except Refused as refusal:
        return refusal.detail
    return ""


def check_attempt(run: Run, task_id: str, map_index: int, try_number: int) -> None:
    """Raises Missing if the stored tasks of the run have no such attempt."""
    rows = run.tasks.rows if hasattr(run, "tasks") else []
    row = next((row for row in rows if row["task"] == task_id), None)
    is_there = row is not None and 1 <= try_number <= row["tries"] and (row["mapped"] == (map_index >= 0))
    if not is_there or not -1 <= map_index < sum(row["counts"].values() if row else ()):
        raise Missing(f"{run.ref} has no attempt {try_number} of the task “{task_id[:100]}”.")


def store(log: TaskLog, lines: Iterable[LogLine], *, whole: bool, ended: bool) -> None:
    """Read all lines, and store the excerpt. whole: store all of them too, in parts. Memory is bounded.

    Raises what `lines` raises. Then the parts are incomplete and are deleted.
    """
    clean, excerpt, parts = Cleaner(), Excerpt(), _Parts(log) if whole else None
    size, cut = 0, False
    TaskLogPart.objects.filter(log=log).delete()
    for line in lines:
        text = clean.without_keys(line.text)
        text = clean.shown(text) if parts is not None else text
        size += len(text) + 1
        if size > LARGEST:
            cut = True
            break
        excerpt.add(text, is_error=line.is_error)
        if parts is not None:
            parts.add(text)
    if parts is not None:
        parts.flush()
    now = clock.now()
    values = {
        "excerpt": [clean.shown(text) for text in excerpt.kept],
        "excerpt_from": excerpt.first,
        "error_at": excerpt.error_at,
        "lines": excerpt.lines,
        "cut": cut,
        "ended": ended,
        "problem": "",
        "read_at": now,
        "kept_until": now + KEPT if whole else None,
    }
    TaskLog.objects.filter(pk=log.pk).update(**values)


def unread(log: TaskLog, why: str) -> None:
    """The log could not be read, for the reason `why`. An earlier excerpt is kept."""
    TaskLogPart.objects.filter(log=log).delete()
    TaskLog.objects.filter(pk=log.pk).update(problem=why, kept_until=None, read_at=clock.now())


class _Parts:
    def __init__(self, log: TaskLog) -> None:
        self._log = log
        self._number, self._first, self._size = 0, 1, 0
        self._lines: list[str] = []

    def add(self, text: str) -> None:
        self._lines.append(text)
        self._size += len(text) + 1
        if self._size >= PART:
            self.flush()

    def flush(self) -> None:
        if not self._lines:
            return
        text = zlib.compress("\n".join(self._lines).encode("utf-8", "replace"), 6)
        TaskLogPart.objects.create(log=self._log, number=self._number, first_line=self._first, text=text)
        self._number += 1
        self._first += len(self._lines)
        self._lines, self._size = [], 0


def text_of(part: TaskLogPart) -> str:
    return zlib.decompress(bytes(part.text)).decode("utf-8")


def stream(log: TaskLog) -> Iterator[str]:
    """The whole log as text, one stored part at a time."""
    for number in range(log.parts.count()):
        part = log.parts.filter(number=number).first()
        if part is None:  # deleted meanwhile
            return
        yield f"{text_of(part)}\n"


def keep(log_id: int) -> None:
    """Somebody views the parts: keep them longer."""
    TaskLog.objects.filter(pk=log_id, kept_until__isnull=False).update(kept_until=clock.now() + KEPT)


def forget() -> None:
    """Delete the parts that nobody viewed for some time, and those of the oldest logs if there are too many."""
    kept = TaskLog.objects.filter(kept_until__isnull=False)
    newest = kept.order_by("-kept_until").values_list("pk", flat=True)[:MOST_KEPT]
    old: QuerySet[TaskLog] = kept.filter(kept_until__lte=clock.now()) | kept.exclude(pk__in=list(newest))
    for pk in list(old.values_list("pk", flat=True)):
        with transaction.atomic():
            TaskLogPart.objects.filter(log=pk).delete()
            TaskLog.objects.filter(pk=pk).update(kept_until=None)
