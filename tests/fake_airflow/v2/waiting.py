"""An answer that goes on: a run's state, line by line, until it has ended."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.fake_airflow.rows import FakeRun


@dataclass(frozen=True)
class Looks:
    """Iterated by the connection that waits, outside the lock."""

    run: FakeRun
    interval: float
    silent: bool

    def __iter__(self) -> Iterator[bytes]:
        while self.run.state not in ("success", "failed"):
            if not self.silent:
                yield self._line()
            time.sleep(self.interval)
        yield self._line()

    def _line(self) -> bytes:
        return f"{json.dumps({'state': self.run.state})}\n".encode()
