"""The threads of a worker that execute operations. Each deployment has its own threads; removals are executed first.

A worker looks for due operations every second. A message of the broker, or a new operation of this process, makes it
look at once. A slow or dead Airflow occupies only the threads of its own deployment.
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
THREADS = 3  # for each deployment with work; more would only wait for the same Airflow


class Runner:
    """Started by `start`, which returns at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: dict[int, set[threading.Thread]] = {}  # by deployment
        self._rounds = Rounds("operations", self._start_threads, pause=lambda: EVERY)

    def start(self) -> None:
        self._rounds.start()

    def is_alive(self) -> bool:
        return self._rounds.is_alive()

    def wake(self) -> None:
        """Look for due operations now."""
        self._rounds.wake()

    def stop(self, *, within: float) -> None:
        """Begin no new operation, and wait at most `within` seconds for the running ones."""
        deadline = time.monotonic() + within
        self._rounds.stop()
        self._rounds.join(within=within)
        for thread in self._all_threads():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_threads(self) -> None:
        """Start threads for each deployment with due operations: one for each operation, at most THREADS."""
        for deployment_id, count in outbox.due_by_deployment().items():
            with self._lock:
                threads = self._threads.setdefault(deployment_id, set())
                for _ in range(min(count, THREADS - len(threads))):
                    thread = threading.Thread(target=self._work, args=(deployment_id,), daemon=True)
                    thread.start()  # before `add`: a thread that cannot start must not occupy a place
                    threads.add(thread)  # the thread removes itself under the same lock, so only after this

    def _work(self, deployment_id: int) -> None:
        """Execute one operation after another, until none is due on the deployment."""
        try:
            with errors_logged("operations"):  # a claimed operation is released when its lease ends
                while not self._rounds.is_stopping:
                    operation = outbox.claim_next(deployment_id, worker=heartbeat.process_id())
                    if operation is None:
                        break
                    executor.execute(operation)
        finally:
            try:
                connection.close()
            finally:
                with self._lock:
                    self._threads[deployment_id].discard(threading.current_thread())
        self.wake()  # an operation may have become due after the last `claim_next`

    def _all_threads(self) -> list[threading.Thread]:
        with self._lock:
            return [thread for threads in self._threads.values() for thread in threads]
