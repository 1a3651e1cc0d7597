"""The life of a grant."""

from __future__ import annotations

from portal.access.models import Grant
from portal.core.state_machine import StateMachine

G = Grant.Status

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
