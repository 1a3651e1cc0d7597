"""What runs in a worker beside Celery: the timers, the threads for operations and for polling, the signs of life.

All of it goes on while the broker is dead, full or slow: a message is only a hint.
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

GRACE = 2.5  # seconds for what is going on when the worker is told to stop; the supervisor waits for 4


class Engine:
    """Begins with `start`, which returns at once; ends with `stop`."""

    def __init__(self) -> None:
        sign_of_life = timers.Duty("sign of life", heartbeat.WRITE_EVERY, partial(heartbeat.write, "worker"))
        self.runner = Runner()
        self._poller = Poller()
        self._timekeeper = timers.Timekeeper([*timers.DUTIES, sign_of_life])

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
