"""The interface between the executor and the handlers of operation kinds: methods, results and errors."""

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
"""After so many counted failures an operation fails for good. With the pauses, that takes two to four minutes."""


@dataclass(frozen=True)
class Done:
    """The state in Airflow before and after, as JSON for the operation's row. `found`: only for `settle`."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]
    found: Any = field(default=None, compare=False)


class PermanentFailure(Exception):
    """The operation cannot succeed, even later. `str()`: the reason, for people."""


class RetryLater(Exception):
    """The operation cannot be done now. `str()`: what it waits for. retry_in: seconds; None: the usual backoff."""

    def __init__(self, waiting_for: str, *, retry_in: float | None = None) -> None:
        super().__init__(waiting_for)
        self.retry_in = retry_in


class ReadOnly(Exception):
    """Nothing may be changed in this Airflow now. `str()`: the reason, for people."""


class NotNeeded(Exception):
    """Nothing is left to do, so the operation is cancelled. `str()`: the reason, for people."""


class Handler(Protocol):
    """Executes one kind of operation. It must be idempotent: it checks the state in Airflow before it changes it.

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
    """Add an event about the result of an operation. Its actor is the portal itself."""
    trail.add(
        verb,
        by=None,
        target=operation.subject,
        outcome=outcome,
        about=[operation.ref, refs.deployment(operation.deployment.name)],
        detail=detail,
    )
