"""Asking each Airflow how it, its runs, its DAGs and people's access are, beside the operations and never instead of
them.

The threads for this are others than those of operations. Of one deployment one thing is asked at a time, by one worker
(portal.operations.turns); a look at it ends after SLICE seconds, so that those that wait for a thread get one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import DatabaseError, connection

from portal.catalogue.models import Deployment
from portal.operations import turns
from portal.worker import health, looks, runs

log = logging.getLogger(__name__)

EVERY = 2.0
THREADS = 8  # for all deployments together
SLICE = 5.0
TURN = 60.0  # seconds after which another worker takes over from one that is not heard of
AT_ONCE = 50  # runs, and DAGs, of one look
AGAIN = {"run": 1.5, "look": 5.0, "dag": 30.0}
"""Seconds until the same thing is asked for again, where nothing came of it."""

Question = tuple[str, Callable[[], None]]


class Poller:
    """Begins with `start`, which returns at once."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="polling")
        self._changing = threading.Lock()
        self._in_hand: set[int] = set()
        self._asked: dict[str, float] = {}
        self._looking = threading.Thread(target=self._look_out, name="polling", daemon=True)

    def start(self) -> None:
        self._looking.start()

    def is_alive(self) -> bool:
        return self._looking.is_alive()

    def stop(self) -> None:
        self._stopping.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look_out(self) -> None:
        while not self._stopping.is_set():
            try:
                for deployment in self._due():
                    self._send(deployment)
            except DatabaseError as error:
                log.warning("polling: the database does not answer: %s", error)
                connection.close()
            except Exception:
                log.exception("polling: looking for what is due failed in an unforeseen way")
            self._stopping.wait(EVERY)
        connection.close()

    def _due(self) -> list[Deployment]:
        """The deployments of which something is to be asked."""
        for name in [name for name, until in self._asked.items() if until < time.monotonic()]:
            del self._asked[name]
        busy = {*runs.to_follow().values_list("dag__deployment", flat=True).order_by()}
        busy |= {*runs.dags_to_look_at().values_list("deployment", flat=True).order_by()}
        looking = looks.where_due()
        busy |= {one.pk for one in looking}
        known = {one.pk: one for one in [*looking, *health.watched()]}
        return [one for one in known.values() if one.pk in busy or health.is_due(one)]

    def _send(self, deployment: Deployment) -> None:
        with self._changing:
            if deployment.pk in self._in_hand or self._stopping.is_set():
                return
            self._in_hand.add(deployment.pk)
            self._pool.submit(self._look, deployment)

    def _look(self, deployment: Deployment) -> None:
        try:
            if turns.take(f"poll/{deployment.pk}", seconds=TURN):
                self.look(deployment)
                turns.give_back(f"poll/{deployment.pk}")
        except DatabaseError as error:
            log.warning("polling %s: the database does not answer: %s", deployment.name, error)
        except Exception:
            log.exception("polling %s failed in an unforeseen way", deployment.name)
        finally:
            connection.close()
            with self._changing:
                self._in_hand.discard(deployment.pk)

    def look(self, deployment: Deployment) -> None:
        """Ask what is due, one thing after another, for at most SLICE seconds and the last question's time."""
        until = time.monotonic() + SLICE
        if health.is_due(deployment):
            health.look_at(deployment)
        for name, ask in self._questions(deployment):
            if time.monotonic() >= until or self._stopping.is_set():
                return
            if name not in self._asked:
                self._asked[name] = time.monotonic() + AGAIN[name.partition("/")[0]]
                ask()

    def _questions(self, deployment: Deployment) -> Iterator[Question]:
        """Runs first: somebody waits for them."""
        for run in runs.to_follow().filter(dag__deployment=deployment)[:AT_ONCE]:
            yield f"run/{run.pk}", partial(runs.follow_one, run)
        for group in looks.due_at(deployment):
            yield f"look/{group[0].pk}", partial(looks.look_at, group)
        for dag in runs.dags_to_look_at().filter(deployment=deployment)[:AT_ONCE]:
            yield f"dag/{dag.pk}", partial(runs.look_at_dag, dag)
