"""docs/states.md, drawn from the transition tables themselves."""

from __future__ import annotations

from typing import Any

from portal.access.states import GRANT
from portal.approvals.states import REQUEST, STAGE
from portal.core.state_machine import StateMachine
from portal.dags.states import RUN
from portal.operations.states import OPERATION

MACHINES: dict[str, StateMachine[Any]] = {
    "Request": REQUEST,
    "Stage of a decision": STAGE,
    "Grant": GRANT,
    "Operation": OPERATION,
    "Run": RUN,
}


NOTES: dict[str, str] = {
    "Grant": """\
- `applying -> failed`: nothing was sent to Airflow, so nothing is held through the grant.
- `applying -> ending -> failed`: it could not be given, but something may have been changed. What Airflow may have got
  is taken away first; it is `failed` once Airflow shows that.
- `active` stays `active` while Airflow does not show the role (`missing_since`): it is given again, at most three
  times. Then it is left to admins (`left_to_admins_at`): they can have it tried again.
- `ended` and `failed` stay so when the role comes back in Airflow (`back_since`): within ten minutes of the end it is
  taken away again, later it is reported.
""",
}


def page() -> str:
    """The whole Markdown page. A guard compares it with the file in docs/."""
    parts = [
        "# States\n",
        "Drawn from the transition tables in `portal/*/states.py` by `manage.py states --write`.",
        "Nothing else moves a status.\n",
    ]
    for title, machine in MACHINES.items():
        parts.append(f"## {title}\n\n```mermaid\n{machine.diagram()}\n```\n")
        if title in NOTES:
            parts.append(NOTES[title])
    return "\n".join(parts)
