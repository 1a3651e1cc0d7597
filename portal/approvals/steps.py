"""One step of the timeline of a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from accounts.models import User


@dataclass(frozen=True)
class Step:
    """One step of the timeline. state: done, now, future or bad. expected: the time in words, if `at` is not known
    yet."""

    title: str
    state: str
    at: datetime | None = None
    by: User | None = None
    note: str = ""
    expected: str = ""
