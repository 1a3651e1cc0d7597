"""The request kinds that pages can show, and rows of lists with requests of any kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from portal.web.kinds.access import AccessDisplay
from portal.web.kinds.base import Display
from portal.web.kinds.permit import PermitDisplay
from portal.web.kinds.run import RunDisplay
from portal.web.kinds.variable import VariableDisplay

DISPLAYS: dict[str, Display] = {
    display.name: display for display in (AccessDisplay(), RunDisplay(), PermitDisplay(), VariableDisplay())
}


@dataclass(frozen=True)
class Row:
    """A request in a list. subject, column: the row and its column with the present status."""

    request: Any
    title: str
    short_title: str
    amount: str
    subject: Any
    column: str


def of(request: Any) -> Display:
    return DISPLAYS[request.kind]


def rows(requests: Iterable[Any]) -> list[Row]:
    found = []
    for one in requests:
        display = of(one)
        found.append(Row(one, display.title(one), display.short_title(one), display.amount(one), *display.state(one)))
    return found
