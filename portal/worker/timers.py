"""The timers: a thread in every worker that does periodic duties. It needs no messages and waits for no other work.

Intervals use the host's monotonic clock; "now" is the database's time. A duty only changes rows, with conditional
updates, so several workers can do it at the same time. Changes in Airflow are put into the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from portal.access import grants, upkeep
from portal.approvals import lapsing
from portal.audit.record import close_refusals
from portal.core.threads import errors_logged
from portal.dags.pauses import pausing
from portal.dags.permits import permits
from portal.dags.requests import run_starts
from portal.dags.runs import logs
from portal.operations import outbox, renamed
from portal.worker import alarms
from portal.worker.rounds import Rounds


@dataclass(frozen=True)
class Duty:
    """`work` is called every `every` seconds. It must not call Airflow, and may wait only for the database."""

    name: str
    every: float
    work: Callable[[], object]


DUTIES: list[Duty] = [
    Duty("end expired grants", 1.0, grants.expire_due),
    Duty("start scheduled grants", 1.0, grants.start_due),
    Duty("end limited pauses", 1.0, pausing.end_due),
    Duty("start runs of approved requests", 1.0, run_starts.start_due),
    Duty("end expired permits", 1.0, permits.expire_due),
    Duty("lapse requests", 1.0, lapsing.lapse_due),
    Duty("lapse requests of people who left", 5.0, lapsing.lapse_of_leavers),
    Duty("give up grants that are too late", 5.0, upkeep.give_up_overdue),
    Duty("end grants of people who are no longer eligible", 5.0, upkeep.end_ineligible),
    Duty("raise alarms of removals that do not succeed", 5.0, alarms.raise_of_old),
    Duty("move operations of renamed deployments", 5.0, renamed.move_queued),
    Duty("release operations of dead workers", 2.0, outbox.release_dead),
    Duty("release operations with an expired lease", 2.0, outbox.release_expired),
    Duty("delete logs that nobody views", 60.0, logs.forget),
    Duty("record repeated refusals", 5.0, close_refusals),
]
"""In this order, so that the end of access comes first."""


class Timekeeper:
    """Does the duties, each at its interval. Started by `start`, which returns at once."""

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
            self._rounds.note_progress()
            with errors_logged(duty.name):
                duty.work()

    def _until_due(self) -> float:
        return max(0.05, min(self._due.values()) - time.monotonic())
