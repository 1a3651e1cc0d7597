"""The statuses of a request and of its stages, and the moves between them."""

from __future__ import annotations

from portal.approvals.models import Request, Stage
from portal.core.state_machine import StateMachine

R, T = Request.Status, Stage.Status

REQUEST: StateMachine[Request] = StateMachine(
    Request,
    {
        R.PENDING: frozenset({R.APPROVED, R.DENIED, R.RETURNED, R.WITHDRAWN, R.LAPSED}),
        R.RETURNED: frozenset({R.PENDING, R.WITHDRAWN, R.LAPSED}),
        R.APPROVED: frozenset(),
        R.DENIED: frozenset(),
        R.WITHDRAWN: frozenset(),
        R.LAPSED: frozenset(),
    },
)
STAGE: StateMachine[Stage] = StateMachine(
    Stage,
    {
        T.WAITING: frozenset({T.OPEN, T.CLOSED}),
        T.OPEN: frozenset({T.DONE, T.CLOSED}),
        T.DONE: frozenset(),
        T.CLOSED: frozenset(),
    },
)
