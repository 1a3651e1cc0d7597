"""Waiting for what may take long on a busy machine: as long as something moves, saying what is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

Report = Callable[[str], None]
SAY_EVERY = 15.0
LONGEST = 1800.0


class Waiting:
    """One wait. `still`: seconds without any change after which it is over; LONGEST seconds in all, come what may.

    moved: anything that changes while things move, beside the words of what is missing (sizes of logs, for example).
    """

    def __init__(
        self,
        *,
        still: float,
        say: Report,
        moved: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._still, self._say, self._moved, self._clock = still, say, moved, clock
        self._began = self._changed = self._said = clock()
        self._seen: object = self

    def goes_on(self, missing: str) -> bool:
        """Whether to look again; `missing` says in a few words what is still waited for."""
        now, seen = self._clock(), (missing, self._moved())
        if seen != self._seen:
            self._seen, self._changed = seen, now
        if now - self._changed >= self._still or now - self._began >= LONGEST:
            return False
        if now - self._said >= SAY_EVERY:
            self._said = now
            self._say(f"waiting: {missing} ({now - self._began:.0f} s so far)")
        return True


def sizes(folders: Iterable[Path]) -> int:
    """How much has been written into these folders; grows while somebody writes there."""
    total = 0
    for folder in folders:
        for file in folder.rglob("*"):
            try:
                total += file.stat().st_size
            except OSError:  # gone since it was listed
                continue
    return total
