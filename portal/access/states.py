"""The statuses of a grant, and the moves between them."""

from __future__ import annotations

from portal.access.models import Grant
from portal.core.state_machine import StateMachine

G = Grant.Status

# A grant may be ended while it is being applied; then the role is removed from Airflow again. If a grant could not be
# applied but may have changed something in Airflow, it is ending first, and failed when the role is removed.
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
HELD = (G.SCHEDULED, G.APPLYING, G.ACTIVE, G.ENDING)  # current and scheduled access
LIVE = (*HELD, G.FAILED)
