"""A room that only tests have: operation kinds of its own, which change `THING` instead of an Airflow.

The fixture `room` (tests/conftest.py) registers them for one test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.operations import kinds, outbox
from portal.operations.handling import Done, record
from portal.operations.kinds import Kind
from portal.operations.models import Operation


class Thing:
    """What is changed, what was given up, which alarms there were; `refuse` is raised instead of a change."""

    def __init__(self) -> None:
        self.value, self.given_up, self.alarms = 0, list[str](), list[str]()
        self.refuse: Exception | None = None

    def execute(self, operation: Operation) -> Done:
        if self.refuse is not None:
            raise self.refuse
        before, self.value = self.value, operation.payload.get("value", 0)
        return Done({"value": before}, {"value": self.value})

    def settle(self, operation: Operation, done: Done, trail: Trail) -> None:
        record(trail, Verb.VARIABLE_CHANGED, operation, value=done.after["value"])

    def give_up(self, operation: Operation, why: str, trail: Trail) -> None:
        self.given_up.append(why)

    def alarm(self, operation: Operation, why: str, trail: Trail) -> bool:
        if not outbox.mark_alarmed(operation):
            return False
        self.alarms.append(why)
        return True

    def kinds(self) -> tuple[Kind, ...]:
        return (
            Kind("test_change", "change a thing", "runner", self, str, superseded=Verb.VARIABLE_CHANGE_LEFT_OUT),
            Kind("test_giving", "give a thing", "granter", self, str, max_attempts=2),
            Kind(
                "test_removal", "remove a thing", "granter", self, str, max_attempts=None, first=True, alarm=self.alarm
            ),
        )


def registered(setattr: Callable[[Any, str, Any], None]) -> Thing:
    """The room's thing, its kinds registered by `monkeypatch.setattr`."""
    setattr(kinds, "_registered", dict(kinds._registered))
    thing = Thing()
    kinds.register(*thing.kinds())
    return thing
