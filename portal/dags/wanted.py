"""Saying that somebody looks at a run, so that the worker asks Airflow for it soon. Nothing is written by looking.

The word is a hint to the worker, as one about an operation is: lost, it costs a page only that it is a little older.
"""

from __future__ import annotations

import logging
import threading
import time

from portal.celery import app
from portal.dags.models import Run

log = logging.getLogger(__name__)

TASK = "portal.worker.tasks.want_run"
EVERY = 5.0  # seconds between two words about the same run, however many look at it
AFTER_FAILURE = 30.0  # seconds without a word while no worker can be told
REMEMBERED = 1000  # runs

_lock = threading.Lock()
_next: dict[int, float] = {}
_silent_until = 0.0


def tell(run: Run) -> None:
    """Tell a worker that somebody looks at `run`; never raises, and waits for the broker for a moment at most."""
    global _silent_until
    now = time.monotonic()
    with _lock:
        if now < _silent_until or now < _next.get(run.pk, 0.0):
            return
        if len(_next) >= REMEMBERED:
            _next.clear()
        _next[run.pk] = now + EVERY
    try:
        app.send_task(TASK, args=[run.pk], expires=15, retry=False)
    except Exception as error:  # whatever a broker's client raises
        with _lock:
            _silent_until = now + AFTER_FAILURE
        log.info("no worker could be told that somebody looks at %s (%s)", run.ref, error)
