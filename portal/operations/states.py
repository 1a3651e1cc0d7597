"""The state machine of operations."""

from __future__ import annotations

from portal.core.state_machine import StateMachine
from portal.operations.models import Operation

S = Operation.Status

OPERATION: StateMachine[Operation] = StateMachine(
    Operation,
    {
        S.QUEUED: frozenset({S.RUNNING, S.CANCELLED}),
        S.RUNNING: frozenset({S.QUEUED, S.SUCCEEDED, S.FAILED, S.CANCELLED, S.SUPERSEDED}),
        S.SUCCEEDED: frozenset(),
        S.FAILED: frozenset(),
        S.CANCELLED: frozenset(),
        S.SUPERSEDED: frozenset(),
    },
)
