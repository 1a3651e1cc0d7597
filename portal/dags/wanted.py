"""Telling the worker that somebody looks at a run or a DAG, so that it reads that from Airflow soon.

A page only sends a message and writes nothing. A lost message costs no more than a page that is a little older.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta

from portal.celery import app
from portal.core import clock
from portal.dags.models import DagState, Run

log = logging.getLogger(__name__)

RUN, DAG = "portal.worker.tasks.want_run", "portal.worker.tasks.want_dag"
EVERY = 5.0  # seconds between two messages about the same thing, however many look at it
AFTER_FAILURE = 30.0  # seconds without a message while the broker is away
REMEMBERED = 1000  # things
OVERDUE = timedelta(seconds=30)  # a DAG that was read less long ago is read in time anyway
UNKNOWN_OVERDUE = timedelta(seconds=3)  # the same for one that Airflow did not have, or could not import

_lock = threading.Lock()
_next: dict[tuple[str, int], float] = {}
_silent_until = 0.0


def tell_of_run(run: Run) -> None:
    """Somebody looks at a run. Never raises, and waits for the broker for a moment at most."""
    if run.seen_at is not None:
        _tell(RUN, run.pk)


def tell_of_dag(state: DagState | None) -> None:
    """The same for a DAG. One that was never read goes first without a message."""
    if state is not None and state.seen_at < clock.now() - (OVERDUE if state.known else UNKNOWN_OVERDUE):
        _tell(DAG, state.dag_id)


def _tell(task: str, pk: int) -> None:
    global _silent_until
    now = time.monotonic()
    with _lock:
        if now < _silent_until or now < _next.get((task, pk), 0.0):
            return
        if len(_next) >= REMEMBERED:
            _next.clear()
        _next[task, pk] = now + EVERY
    try:
        app.send_task(task, args=[pk], expires=15, retry=False)
    except Exception as error:  # whatever a broker's client raises
        with _lock:
            _silent_until = now + AFTER_FAILURE
        log.info("the worker could not be told that somebody looks at %s %s (%s)", task, pk, error)
