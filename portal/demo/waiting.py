"""Waiting without a fixed limit on a busy machine: as long as something changes, with progress messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

Report = Callable[[str], None]
SAY_EVERY = 15.0
LONGEST = 1800.0


class Waiting:
    """One wait. `still`: seconds without any change, after which it ends. It ends after LONGEST seconds in any case.

    moved: a value that changes while there is progress, for example the size of logs. The messages count too.
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
        """Whether to check again. `missing`: what is not ready yet, in a few words."""
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
    """The total size of the files in these folders, to see whether somebody writes there."""
    total = 0
    for folder in folders:
        for file in folder.rglob("*"):
            try:
                total += file.stat().st_size
            except OSError:  # gone since it was listed
                continue
    return total
