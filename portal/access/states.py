"""The lives of a request, a stage of its decision, and a grant."""

from __future__ import annotations

from portal.access.models import AccessRequest, Grant, Stage
from portal.core.state_machine import StateMachine

R, G, T = AccessRequest.Status, Grant.Status, Stage.Status

REQUEST: StateMachine[AccessRequest] = StateMachine(
    AccessRequest,
    {
        R.PENDING: frozenset({R.APPROVED, R.DENIED, R.WITHDRAWN, R.LAPSED}),
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
# A grant may be ended while it is still being applied: whatever Airflow has by then is taken away again. One that could
# not be applied, and may have changed something, is taken away before it is called failed.
GRANT: StateMachine[Grant] = StateMachine(
    Grant,
    {
        G.SCHEDULED: frozenset({G.APPLYING, G.ENDED}),
        G.APPLYING: frozenset({G.ACTIVE, G.FAILED, G.ENDING}),
        G.ACTIVE: frozenset({G.ENDING}),
        G.FAILED: frozenset({G.APPLYING, G.ENDING}),
        G.ENDING: frozenset({G.ENDED, G.FAILED}),
        G.ENDED: frozenset(),
    },
)

REQUIRING = (G.APPLYING, G.ACTIVE)  # a grant in these states requires its role in Airflow
HELD = (G.SCHEDULED, G.APPLYING, G.ACTIVE, G.ENDING)  # a person has it, or is about to
LIVE = (*HELD, G.FAILED)
