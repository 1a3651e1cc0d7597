"""docs/states.md, drawn from the transition tables themselves."""

from __future__ import annotations

from typing import Any

from portal.access.states import GRANT, REQUEST, STAGE
from portal.dags.states import RUN
from portal.machine import Machine
from portal.operations.states import OPERATION

MACHINES: dict[str, Machine[Any]] = {
    "Request": REQUEST,
    "Stage of a decision": STAGE,
    "Grant": GRANT,
    "Operation": OPERATION,
    "Run": RUN,
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
    return "\n".join(parts)
