"""Messages to the worker that somebody views a run or a DAG, so that it is read from Airflow soon.

A page only sends a message and writes nothing. If the message is lost, the run or DAG is only read a little later.
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
LOG = "portal.worker.tasks.want_log"
EVERY = 5.0  # seconds between two messages about the same run or DAG, even if many people view it
AFTER_FAILURE = 30.0  # seconds without a message while the broker is away
REMEMBERED = 1000  # runs and DAGs whose last message is remembered
OVERDUE = timedelta(seconds=30)  # a DAG is read again after this time
UNKNOWN_OVERDUE = timedelta(seconds=3)  # the same for a DAG that Airflow does not have or cannot import

_lock = threading.Lock()
_next: dict[tuple[object, ...], float] = {}
_silent_until = 0.0


def tell_of_run(run: Run) -> None:
    """Somebody views a run. Raises no errors, and waits only a short time for the broker."""
    if run.seen_at is not None:
        _tell(RUN, run.pk)


def tell_of_dag(state: DagState | None) -> None:
    """Somebody views a DAG. One that was never read needs no message: it is read first anyway."""
    if state is not None and state.seen_at < clock.now() - (OVERDUE if state.known else UNKNOWN_OVERDUE):
        _tell(DAG, state.dag_id)


def tell_of_log(run: Run, task_id: str, map_index: int, try_number: int) -> None:
    """Somebody opens the log of an attempt."""
    _tell(LOG, run.pk, task_id, map_index, try_number)


def _tell(task: str, pk: int, *more: str | int) -> None:
    global _silent_until
    now, about = time.monotonic(), (task, pk, *more)
    with _lock:
        if now < _silent_until or now < _next.get(about, 0.0):
            return
        if len(_next) >= REMEMBERED:
            _next.clear()
        _next[about] = now + EVERY
    try:
        app.send_task(task, args=[pk, *more], expires=15, retry=False)
    except Exception as error:  # clients of brokers raise many types of errors
        with _lock:
            _silent_until = now + AFTER_FAILURE
        log.info("the worker could not be notified of %s %s (%s)", task, pk, error)
