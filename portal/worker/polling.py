"""Polling of each Airflow: its health, its runs, its DAGs, its variables and people's access.

It has its own threads, so operations never wait for it. Only one worker polls a deployment at a time
(portal.operations.turns). A visit to a deployment ends after SLICE seconds, so that other deployments get a thread.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from django.db import connection

from portal.airflow import health, listings
from portal.catalogue import airflows
from portal.catalogue.models import Deployment
from portal.core.threads import errors_logged
from portal.operations import outbox, queries, turns
from portal.worker import human, looks, runs, variables
from portal.worker.rounds import Rounds

EVERY = 2.0
THREADS = 8  # for all deployments together
SLICE = 5.0
TURN = 60.0  # seconds after which another worker takes over from one that died
AT_ONCE = 50  # runs, and DAGs, of one visit
AGAIN = {"run": 1.5, "look": 5.0, "dag": 30.0, "wanted dag": 3.0, "list": 60.0, "human": 20.0, "variables": 20.0}
"""Seconds until the same question is asked again if it had no result."""

Question = tuple[str, Callable[[], None]]


class Poller:
    """Started by `start`, which returns at once."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="polling")
        self._lock = threading.Lock()
        self._visits: dict[int, object] = {}  # by deployment: its visit, waiting for a thread or running
        self._asked: dict[str, float] = {}  # until when a question is not asked again
        self._visit_counts: Counter[int] = Counter()  # by deployment
        self._rounds = Rounds("polling", self._start_due, pause=lambda: EVERY)

    def start(self) -> None:
        self._rounds.start()

    def is_alive(self) -> bool:
        return self._rounds.is_alive()

    def stop(self) -> None:
        self._rounds.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_due(self) -> None:
        for deployment in self._due():
            self._start_visit(deployment)

    def _due(self) -> list[Deployment]:
        """The deployments to visit now."""
        for name, until in list(self._asked.items()):  # a copy, because the polling threads add to it
            if until < time.monotonic():
                del self._asked[name]
        waiting = [*runs.due_deployments(), *looks.due_deployments(), *listings.due(), *variables.due_deployments()]
        busy = {*runs.due_dags().values_list("deployment", flat=True).order_by()} | {one.pk for one in waiting}
        with_work = {*queries.deployments_with_work(), *runs.deployments_with_runs()}
        # a renamed deployment is checked under its new name: the secrets of the old one may be gone
        watched = airflows.all_current(health.watched(with_work=with_work))
        known = {one.pk: one for one in [*waiting, *watched]}
        return [one for one in known.values() if one.pk in busy or health.is_due(one)]

    def _start_visit(self, deployment: Deployment) -> None:
        with self._lock:
            if deployment.pk in self._visits or self._rounds.is_stopping:
                return
            visit = self._visits[deployment.pk] = object()
            try:
                self._pool.submit(self._run_visit, deployment, visit)
            except RuntimeError:  # no thread can be started, but the pool has queued the visit; `_run_visit` skips it
                del self._visits[deployment.pk]
                raise

    def _run_visit(self, deployment: Deployment, visit: object) -> None:
        with self._lock:
            if self._visits.get(deployment.pk) is not visit:
                return
        try:
            with errors_logged(f"polling {deployment.name}"):
                if turns.take(f"poll/{deployment.pk}", seconds=TURN):
                    self.visit(deployment)
                    turns.give_back(f"poll/{deployment.pk}")
        finally:
            try:
                connection.close()
            finally:
                with self._lock:
                    del self._visits[deployment.pk]

    def visit(self, deployment: Deployment) -> None:
        """Ask the due questions one after another. After SLICE seconds, no further question is asked.

        The SLICE seconds begin after the health check, so that a slow check leaves time for the questions.
        """
        if health.is_due(deployment) and health.check(deployment):
            outbox.look_again()
        until = time.monotonic() + SLICE
        for name, ask in self._questions(deployment):
            if time.monotonic() >= until or self._rounds.is_stopping:
                return
            if name not in self._asked:
                self._asked[name] = time.monotonic() + AGAIN[name.partition("/")[0]]
                ask()

    def _questions(self, deployment: Deployment) -> Iterator[Question]:
        """The due questions. Their kinds alternate, and each visit begins with another kind.

        So every kind gets its turn, even if Airflow is so slow that a visit has time for one question only.
        """
        kinds = deque(
            [
                self._of_runs(deployment),
                self._of_looks(deployment),
                self._of_dags(deployment),
                self._of_people(deployment),
                self._of_variables(deployment),
            ]
        )
        kinds.rotate(-self._visit_counts[deployment.pk])
        self._visit_counts[deployment.pk] += 1
        while kinds:
            kind = kinds.popleft()
            if (question := next(kind, None)) is not None:
                kinds.append(kind)
                yield question

    def _of_runs(self, deployment: Deployment) -> Iterator[Question]:
        for run in runs.due_on(deployment)[:AT_ONCE]:
            yield f"run/{run.pk}", partial(runs.read_run, run)

    def _of_looks(self, deployment: Deployment) -> Iterator[Question]:
        for group in looks.due_on(deployment):
            yield f"look/{group[0].pk}", partial(looks.check_account, group)

    def _of_dags(self, deployment: Deployment) -> Iterator[Question]:
        if deployment in listings.due():
            yield f"list/{deployment.pk}", partial(runs.read_list, deployment)
        for dag in runs.due_dags().filter(deployment=deployment)[:AT_ONCE]:
            kind = "wanted dag" if runs.is_wanted(dag) else "dag"
            yield f"{kind}/{dag.pk}", partial(runs.read_dag, dag)

    def _of_people(self, deployment: Deployment) -> Iterator[Question]:
        if human.has_them(deployment):
            yield f"human/{deployment.pk}", partial(human.read, deployment)

    def _of_variables(self, deployment: Deployment) -> Iterator[Question]:
        if variables.are_due(deployment):
            yield f"variables/{deployment.pk}", partial(variables.read, deployment)
