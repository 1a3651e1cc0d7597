"""The time that one call may take. Each thread has its own; calls inside a call share the outer one's."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class Budget:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._thread = threading.local()

    def deadline(self) -> float:
        """The moment (time.monotonic) by which a call that begins now must be over."""
        return getattr(self._thread, "deadline", None) or time.monotonic() + self.seconds

    def one(self) -> AbstractContextManager[None]:
        """All calls of this thread inside the block share one budget."""
        return self.until(self.deadline())

    def within(self, seconds: float) -> AbstractContextManager[None]:
        """All calls of this thread inside the block are over after `seconds`, or earlier."""
        return self.until(min(self.deadline(), time.monotonic() + seconds))

    @contextmanager
    def until(self, deadline: float) -> Iterator[None]:
        before: float | None = getattr(self._thread, "deadline", None)
        self._thread.deadline = deadline
        try:
            yield
        finally:
            self._thread.deadline = before
