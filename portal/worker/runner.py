"""The threads of a worker that carry operations out: each deployment has its own, removals go first.

A worker looks for due operations by itself every second. A message of the broker, or an operation that this process
puts, only makes it look at once. One slow or dead Airflow keeps its own threads busy and nobody else's.
"""

from __future__ import annotations

import threading
import time

from django.db import connection

from portal.core import heartbeat
from portal.core.threads import errors_logged
from portal.operations import outbox
from portal.worker import executor
from portal.worker.rounds import Rounds

EVERY = 1.0
THREADS = 3  # of each deployment that has work; more would only wait for one Airflow


class Runner:
    """Begins with `start`, which returns at once."""

    def __init__(self) -> None:
        self._changing = threading.Lock()
        self._crews: dict[int, set[threading.Thread]] = {}
        self._rounds = Rounds("operations", self._muster, pause=lambda: EVERY)

    def start(self) -> None:
        self._rounds.start()

    def is_alive(self) -> bool:
        return self._rounds.is_alive()

    def wake(self) -> None:
        """Look for due operations now."""
        self._rounds.wake()

    def stop(self, *, within: float) -> None:
        """Begin nothing new, and wait for what is going on, for at most `within` seconds."""
        deadline = time.monotonic() + within
        self._rounds.stop()
        self._rounds.join(within=within)
        for thread in self._everybody():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _muster(self) -> None:
        """Give each deployment with due operations as many threads as it may have and can use."""
        for deployment_id, count in outbox.due_by_deployment().items():
            with self._changing:
                crew = self._crews.setdefault(deployment_id, set())
                for _ in range(min(count, THREADS - len(crew))):
                    thread = threading.Thread(target=self._work, args=(deployment_id,), daemon=True)
                    thread.start()  # first: one that cannot start must not keep a place; it leaves under the lock
                    crew.add(thread)

    def _work(self, deployment_id: int) -> None:
        """One operation after another, until nothing is due on the deployment."""
        try:
            with errors_logged("operations"):  # what was claimed is free when its lease is over
                while not self._rounds.is_stopping:
                    operation = outbox.claim_next(deployment_id, worker=heartbeat.process_id())
                    if operation is None:
                        break
                    executor.execute(operation)
        finally:
            try:
                connection.close()
            finally:
                with self._changing:
                    self._crews[deployment_id].discard(threading.current_thread())
        self.wake()  # what became due after the last look is not to wait for the next one

    def _everybody(self) -> list[threading.Thread]:
        with self._changing:
            return [thread for crew in self._crews.values() for thread in crew]
