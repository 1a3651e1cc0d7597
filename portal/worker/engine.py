"""The threads of a worker beside Celery: the timers, operations, polling, and the heartbeat.

All of them work without the broker. A message only makes them start earlier.
"""

from __future__ import annotations

import logging
from functools import partial

from portal.core import heartbeat
from portal.operations import outbox
from portal.worker import timers
from portal.worker.polling import Poller
from portal.worker.runner import Runner

log = logging.getLogger(__name__)

GRACE = 2.5  # seconds for running operations when the worker is stopped; the supervisor waits 4


class Engine:
    """Started by `start`, which returns at once, and ended by `stop`."""

    def __init__(self) -> None:
        beat = timers.Duty("heartbeat", heartbeat.WRITE_EVERY, partial(heartbeat.write, "worker"))
        self.runner = Runner()
        self._poller = Poller()
        self._timekeeper = timers.Timekeeper([*timers.DUTIES, beat])

    def start(self) -> None:
        heartbeat.begin("worker", alive=self.is_alive, writes=False)
        outbox.wake_here = self.runner.wake
        for part in (self._timekeeper, self.runner, self._poller):
            part.start()

    def is_alive(self) -> bool:
        return self._timekeeper.is_alive() and self.runner.is_alive() and self._poller.is_alive()

    def stop(self) -> None:
        self._timekeeper.stop()
        self._poller.stop()
        self.runner.stop(within=GRACE)
        outbox.wake_here = None
        heartbeat.end()


running: Engine | None = None


def start() -> None:
    global running
    if running is None:
        running = Engine()
        running.start()


def stop() -> None:
    global running
    if running is not None:
        running.stop()
        running = None
