"""Many threads on one real database, each with a connection of its own, all let go at the same moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from django.db import connection

from portal.core.errors import GatehouseError
from portal.operations.models import Operation
from tests.factories import attempt, due


@pytest.fixture(autouse=True)
def _committed(transactional_db: None) -> None:
    """What one thread writes, the others see."""


@dataclass
class Outcome:
    """What each call came to: its answer, or how it was refused. Anything else a thread raised is raised again."""

    answers: list[object] = field(default_factory=list)
    refusals: list[GatehouseError] = field(default_factory=list)


def all_at_once(*calls: Callable[[], object]) -> Outcome:
    """Every call in a thread of its own; they begin together. (PostgreSQL's pool has fewer connections: some queue.)"""
    outcome, broken = Outcome(), []
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            gate.wait(30)
            outcome.answers.append(call())
        except GatehouseError as refusal:
            outcome.refusals.append(refusal)
        except BaseException as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        raise ExceptionGroup("threads broke", broken) if len(broken) > 1 else broken[0]
    return outcome


@contextmanager
def workers(count: int) -> Iterator[None]:
    """`count` workers that carry out whatever is due, until the block is left and nothing is due any more."""
    closing = threading.Event()
    ended: list[float] = []
    broken: list[BaseException] = []

    def work() -> None:
        try:
            while True:
                last_round = closing.is_set()
                assert not ended or time.monotonic() < ended[0] + 60, "operations wait that nobody carries out"
                for operation_id in due():
                    attempt(operation_id)
                if last_round and not Operation.objects.filter(status__in=["queued", "running"]).exists():
                    return
                closing.wait(0.01)
        except BaseException as error:
            broken.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.append(time.monotonic())
        closing.set()
        for thread in threads:
            thread.join()
    if broken:
        raise broken[0]
