"""What the executor and the handlers of operation kinds share: the handler's interface, its results and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from portal.audit.models import AuditEvent
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import refs

if TYPE_CHECKING:
    from portal.operations.models import Operation

MAX_ATTEMPTS = 8
"""Failures that count until an operation fails for good: two to four minutes with the pauses between them."""


@dataclass(frozen=True)
class Done:
    """The state in Airflow before and after, as stored on the operation (JSON); `found` is for `settle` alone."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    found: Any = field(default=None, compare=False)


class PermanentFailure(Exception):
    """It cannot be done, and trying again would not help; `str()` says why, for people."""


class RetryLater(Exception):
    """It cannot be done now; `str()` says what it waits for. retry_in: seconds; None: back off."""

    def __init__(self, waiting_for: str, *, retry_in: float | None = None) -> None:
        super().__init__(waiting_for)
        self.retry_in = retry_in


class NotNeeded(Exception):
    """The operation is cancelled, because there is nothing left to do; `str()` says why."""


class Handler(Protocol):
    """Carries out one kind of operation. It ensures a state; it never adds blindly.

    execute: calls Airflow, outside any transaction, and returns the state before and after.
    settle: stores the result. give_up: stores the failure. Both run in the executor's settling transaction.
    """

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
    """Add an event of what became of an operation. Its actor is the portal itself."""
    trail.add(
        verb,
        by=None,
        target=operation.subject,
        outcome=outcome,
        about=[operation.ref, refs.deployment(operation.deployment.name)],
        detail=detail,
    )
