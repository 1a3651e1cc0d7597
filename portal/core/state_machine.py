"""State machines: a table of legal transitions, and one way to make a transition: a conditional UPDATE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from django.db import models

from portal.core.errors import Conflict

Row = TypeVar("Row", bound=models.Model)


class StateMachine(Generic[Row]):
    """The legal transitions of one model's `status`. No other code writes a status.

    column: the name of the column, for a model with a second status.
    """

    def __init__(self, model: type[Row], moves: Mapping[str, frozenset[str]], *, column: str = "status") -> None:
        self.model = model
        self.moves = moves
        self.column = column

    def move(self, row: Row, *, to: str, where: Mapping[str, Any] | None = None, **changes: Any) -> None:
        """Set `row`'s status to `to` and the columns in `changes`, if the row was not changed since it was read.

        where: further conditions on the row in the database, for example a lease.
        Raises Conflict if the transition is not legal or the row was changed meanwhile. Then nothing is changed.
        """
        status: str = getattr(row, self.column)
        if to not in self.moves[status]:
            raise Conflict(f"{row} is {status} and cannot become {to}.", reason="wrong_state")
        rows = self.model._default_manager.filter(pk=row.pk, **{self.column: status, **(where or {})})
        if rows.update(**{self.column: to, **changes}) != 1:
            raise Conflict(f"{row} was changed by somebody else at the same moment.")
        for name, value in {self.column: to, **changes}.items():
            setattr(row, name, value)

    def diagram(self) -> str:
        """The transitions as a Mermaid state diagram, for docs/states.md."""
        lines = ["stateDiagram-v2"]
        for status, targets in self.moves.items():
            lines += [f"    {status} --> {target}" for target in sorted(targets)]
            if not targets:
                lines.append(f"    {status} --> [*]")
        return "\n".join(lines)
