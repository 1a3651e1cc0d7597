"""Generates docs/states.md from the transition tables."""

from __future__ import annotations

from typing import Any

from portal.access.states import GRANT
from portal.approvals.states import REQUEST, STAGE
from portal.core.state_machine import StateMachine
from portal.dags.runs.states import PERMIT, RUN, START
from portal.operations.states import OPERATION

MACHINES: dict[str, StateMachine[Any]] = {
    "Request": REQUEST,
    "Stage of a decision": STAGE,
    "Grant": GRANT,
    "Operation": OPERATION,
    "Start of a requested run": START,
    "Permit": PERMIT,
    "Run": RUN,
}


NOTES: dict[str, str] = {
    "Grant": """\
- `applying -> failed`: nothing was sent to Airflow, so the person has no role from this grant.
- `applying -> ending -> failed`: the role could not be given, but Airflow may have changed something. Gatehouse first
  removes what Airflow may have given. The grant is `failed` when Airflow shows that the role is gone.
- `active` stays `active` while Airflow does not show the role (`missing_since`). Gatehouse gives the role again, at
  most three times. After that it is left to admins (`left_to_admins_at`), who can start another attempt.
- `ended` and `failed` stay so if the role comes back in Airflow (`back_since`). Within ten minutes of the end,
  Gatehouse removes the role again. Later it only reports it.
""",
}


def page() -> str:
    """The text of docs/states.md. A test compares it with the file."""
    parts = [
        "# States\n",
        "Generated from the transition tables in `portal/*/states.py` by `manage.py states --write`.",
        "No other code changes a status.\n",
    ]
    for title, machine in MACHINES.items():
        parts.append(f"## {title}\n\n```mermaid\n{machine.diagram()}\n```\n")
        if title in NOTES:
            parts.append(NOTES[title])
    return "\n".join(parts)
