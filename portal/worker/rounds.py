"""A worker thread that repeats one task, and counts as alive only while its turns go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from django.db import connection

from portal.core.threads import errors_logged

HUNG = 120.0
"""Longest time of one turn, in seconds; after it the thread counts as dead. A turn asks the database alone."""


class Rounds:
    """Begins with `start`, which returns at once; ends after its turn when told to `stop`.

    turn: the task. Its errors are logged, and the next turn comes all the same.
    pause: called after each turn, gives the seconds until the next one; `wake` ends the pause.
    """

    def __init__(self, name: str, turn: Callable[[], object], *, pause: Callable[[], float]) -> None:
        self._name, self._turn, self._pause = name, turn, pause
        self._wake, self._stopping = threading.Event(), threading.Event()
        self._went_on = time.monotonic()
        self._thread = threading.Thread(target=self._go_round, name=name, daemon=True)

    def start(self) -> None:
        self.go_on()
        self._thread.start()

    def wake(self) -> None:
        """Begin the next turn now."""
        self._wake.set()

    def go_on(self) -> None:
        """Say that a turn of several steps is not hung."""
        self._went_on = time.monotonic()

    def is_alive(self) -> bool:
        return self._thread.is_alive() and time.monotonic() - self._went_on < HUNG

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def stop(self) -> None:
        self._stopping.set()
        self._wake.set()

    def join(self, *, within: float) -> None:
        self._thread.join(within)

    def _go_round(self) -> None:
        while True:
            self._wake.clear()  # before the turn: what wakes it meanwhile is not lost
            if self.is_stopping:  # after that: `stop` wakes it too
                break
            self.go_on()
            with errors_logged(self._name):
                self._turn()
            self._wake.wait(self._pause())
        connection.close()
