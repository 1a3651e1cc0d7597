"""Periodic sweep, in a thread of its own in every worker: it waits for no message and no other work.

Intervals use the host's monotonic clock, "now" is the database's. A duty only changes rows, by conditional update, so
that several workers do no harm. What is to be done in Airflow is put into the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from portal.access import grants, upkeep
from portal.approvals import lapsing
from portal.audit.record import close_refusals
from portal.core.threads import errors_logged
from portal.operations import outbox, renamed
from portal.worker import alarms
from portal.worker.rounds import Rounds


@dataclass(frozen=True)
class Duty:
    """`work` is done every `every` seconds. It must not call Airflow, nor wait for anything but the database."""

    name: str
    every: float
    work: Callable[[], object]


DUTIES: list[Duty] = [
    Duty("end what is over", 1.0, grants.expire_due),
    Duty("start what is due", 1.0, grants.start_due),
    Duty("let requests lapse", 1.0, lapsing.lapse_due),
    Duty("let requests of people who left lapse", 5.0, lapsing.lapse_of_leavers),
    Duty("give up what is late", 5.0, upkeep.give_up_overdue),
    Duty("end what may no longer be held", 5.0, upkeep.end_ineligible),
    Duty("raise alarms of removals that do not succeed", 5.0, alarms.raise_of_old),
    Duty("move what waits for a renamed deployment", 5.0, renamed.move_queued),
    Duty("free what a dead worker held", 2.0, outbox.release_dead),
    Duty("free what nobody settled", 2.0, outbox.release_expired),
    Duty("write down repeated refusals", 5.0, close_refusals),
]
"""In this order: the end of access comes first."""


class Timekeeper:
    """Does the duties, each at its interval. Begins with `start`, which returns at once."""

    def __init__(self, duties: list[Duty]) -> None:
        self._duties = duties
        self._due = {duty.name: 0.0 for duty in duties}
        self._rounds = Rounds("timekeeper", self.do_due, pause=self._until_due)

    def start(self) -> None:
        self._rounds.start()

    def is_alive(self) -> bool:
        return self._rounds.is_alive()

    def stop(self) -> None:
        self._rounds.stop()

    def do_due(self) -> None:
        """Do every duty whose interval has passed. A failed duty does not stop the others."""
        for duty in self._duties:
            if self._due[duty.name] > time.monotonic():
                continue
            self._due[duty.name] = time.monotonic() + duty.every
            self._rounds.go_on()
            with errors_logged(duty.name):
                duty.work()

    def _until_due(self) -> float:
        return max(0.05, min(self._due.values()) - time.monotonic())
