"""Polling of each Airflow: its health, its runs, its DAGs and people's access.

It has threads of its own, so it never takes one from operations. Only one worker asks one deployment at a time
(portal.operations.turns). A look at a deployment ends after SLICE seconds, so that others get a thread.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import connection

from portal.airflow import health
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.core.threads import errors_logged
from portal.operations import outbox, queries, turns
from portal.worker import looks, runs
from portal.worker.rounds import Rounds

EVERY = 2.0
THREADS = 8  # for all deployments together
SLICE = 5.0
TURN = 60.0  # seconds after which another worker takes over from one that is not heard of
AT_ONCE = 50  # runs, and DAGs, of one look
AGAIN = {"run": 1.5, "look": 5.0, "dag": 30.0, "wanted dag": 3.0}
"""Seconds until the same thing is asked for again, where nothing came of it."""

Question = tuple[str, Callable[[], None]]


class Poller:
    """Begins with `start`, which returns at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="polling")
        self._changing = threading.Lock()
        self._in_hand: dict[int, object] = {}  # the look at each deployment, sent or going on
        self._asked: dict[str, float] = {}
        self._begun: Counter[int] = Counter()  # looks at each deployment
        self._rounds = Rounds("polling", self._look_out, pause=lambda: EVERY)

    def start(self) -> None:
        self._rounds.start()

    def is_alive(self) -> bool:
        return self._rounds.is_alive()

    def stop(self) -> None:
        self._rounds.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _look_out(self) -> None:
        for deployment in self._due():
            self._send(deployment)

    def _due(self) -> list[Deployment]:
        """The deployments of which something is to be asked."""
        for name, until in list(self._asked.items()):  # a copy: the threads that ask add to it
            if until < time.monotonic():
                del self._asked[name]
        waiting = [*runs.where_due(), *looks.where_due()]
        busy = {*runs.dags_to_look_at().values_list("deployment", flat=True).order_by()} | {one.pk for one in waiting}
        with_work = {*queries.deployments_with_work(), *runs.deployments_with_runs()}
        # a deployment that was renamed is checked under its present name: the secrets of the old one may be gone
        watched = airflows.all_current(health.watched(with_work=with_work))
        known = {one.pk: one for one in [*waiting, *watched]}
        return [one for one in known.values() if one.pk in busy or health.is_due(one)]

    def _send(self, deployment: Deployment) -> None:
        with self._changing:
            if deployment.pk in self._in_hand or self._rounds.is_stopping:
                return
            look = self._in_hand[deployment.pk] = object()
            try:
                self._pool.submit(self._look, deployment, look)
            except RuntimeError:  # no thread can be started; the pool has queued the look, which is then left out
                del self._in_hand[deployment.pk]
                raise

    def _look(self, deployment: Deployment, look: object) -> None:
        with self._changing:
            if self._in_hand.get(deployment.pk) is not look:
                return
        try:
            with errors_logged(f"polling {deployment.name}"):
                if turns.take(f"poll/{deployment.pk}", seconds=TURN):
                    self.look(deployment)
                    turns.give_back(f"poll/{deployment.pk}")
        finally:
            try:
                connection.close()
            finally:
                with self._changing:
                    del self._in_hand[deployment.pk]

    def look(self, deployment: Deployment) -> None:
        """Ask what is due, one thing after another, for at most SLICE seconds and the last question's time.

        The slice begins after the look at its health: that must not use up the turn of a kind of question.
        """
        if health.is_due(deployment) and health.look_at(deployment):
            outbox.look_again()
        until = time.monotonic() + SLICE
        for name, ask in self._questions(deployment):
            if time.monotonic() >= until or self._rounds.is_stopping:
                return
            if name not in self._asked:
                self._asked[name] = time.monotonic() + AGAIN[name.partition("/")[0]]
                ask()

    def _questions(self, deployment: Deployment) -> Iterator[Question]:
        """The kinds take turns, and each look begins with the next kind. So no kind waits for another, however slow
        Airflow is."""
        kinds = deque([self._of_runs(deployment), self._of_looks(deployment), self._of_dags(deployment)])
        begun = self._begun[deployment.pk]
        self._begun[deployment.pk] += 1
        kinds.rotate(-begun)
        while kinds:
            kind = kinds.popleft()
            if (question := next(kind, None)) is not None:
                kinds.append(kind)
                yield question

    def _of_runs(self, deployment: Deployment) -> Iterator[Question]:
        for run in runs.due_at(deployment)[:AT_ONCE]:
            yield f"run/{run.pk}", partial(runs.follow_one, run)

    def _of_looks(self, deployment: Deployment) -> Iterator[Question]:
        for group in looks.due_at(deployment):
            yield f"look/{group[0].pk}", partial(looks.look_at, group)

    def _of_dags(self, deployment: Deployment) -> Iterator[Question]:
        for dag in runs.dags_to_look_at().filter(deployment=deployment)[:AT_ONCE]:
            kind = "wanted dag" if runs.is_wanted(dag) else "dag"
            yield f"{kind}/{dag.pk}", partial(runs.look_at_dag, dag)
