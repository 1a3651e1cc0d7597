"""What each kind of operation does in Airflow. A handler ensures a state; it never adds blindly.

`execute` speaks to Airflow, outside any transaction, and returns what it found before and after.
`settle` writes the outcome down, `give_up` the failure, both inside the executor's settling transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import refs
from portal.operations.models import Operation

MAX_ATTEMPTS = 8
"""Failures that count until an operation is given up: with the pauses between them, two to four minutes."""


@dataclass(frozen=True)
class Done:
    """What Airflow showed before and after, as it is kept on the operation (JSON), and what `settle` needs besides."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    found: Any = field(default=None, compare=False)


class PermanentFailure(Exception):
    """It cannot be done and trying again would not help; `str()` says why, for people."""


class RetryLater(Exception):
    """It cannot be done now, but may be later; `str()` says what it waits for. `retry_in` seconds, None: back off."""

    def __init__(self, waiting_for: str, *, retry_in: float | None = None) -> None:
        super().__init__(waiting_for)
        self.retry_in = retry_in


class NotNeeded(Exception):
    """What it was for has been settled another way meanwhile; `str()` says how."""


class Handler(Protocol):
    max_attempts: int | None
    """How many failures that count until it is given up; None: never."""
    superseded: Verb | None
    """The event of an operation that a later one with its ordering key supersedes; None: every one is executed."""

    def execute(self, operation: Operation) -> Done: ...
    def settle(self, operation: Operation, done: Done, trail: Trail) -> None: ...
    def give_up(self, operation: Operation, why: str, trail: Trail) -> None: ...


def record(
    trail: Trail,
    verb: Verb,
    operation: Operation,
    outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
    **detail: object,
) -> None:
    """An event of what became of an operation; nobody does it in person."""
    trail.add(
        verb,
        by=None,
        target=operation.subject,
        outcome=outcome,
        about=[operation.ref, refs.deployment(operation.deployment.name)],
        detail=detail,
    )
