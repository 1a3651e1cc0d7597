"""A worker thread that repeats one task. It counts as alive only while the task does not hang."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection

from portal.core.threads import errors_logged

HUNG = 120.0
"""Seconds after which a turn counts as hung, and the thread as dead. A turn uses only the database."""


class Rounds:
    """Started by `start`, which returns at once. After `stop`, the current turn is the last one.

    turn: the task. Its errors are logged and do not end the thread.
    pause: called after each turn; returns the seconds until the next one. `wake` ends the pause.
    """

    def __init__(self, name: str, turn: Callable[[], object], *, pause: Callable[[], float]) -> None:
        self._name, self._turn, self._pause = name, turn, pause
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._last_progress = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self.note_progress()
        self._thread.start()

    def wake(self) -> None:
        """Begin the next turn now."""
        self._wake.set()

    def note_progress(self) -> None:
        """Called between the steps of a long turn, so that it does not count as hung."""
        self._last_progress = time.monotonic()

    def is_alive(self) -> bool:
        return self._thread.is_alive() and time.monotonic() - self._last_progress < HUNG

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def join(self, *, within: float) -> None:
        self._thread.join(within)

    def _run(self) -> None:
        while True:
            self._wake.clear()  # before the turn, so that a `wake` during the turn is not lost
            if self.is_stopping:  # after the clear, so that a `stop` before it is not lost
                break
            self.note_progress()
            with errors_logged(self._name):
                self._turn()
            self._wake.wait(self._pause())
        connection.close()
