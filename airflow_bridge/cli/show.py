"""What a command has found, on standard output: aligned for people, or JSON for programs. Row by row as it comes."""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

Row = TypeVar("Row")
LOOKED_AT = 100  # rows that say how wide the columns are
SEPARATOR = "  "
NAMES = 9  # letters of the names of `pairs`, at least


def rows(
    found: Iterable[Row], *, columns: Mapping[str, Callable[[Row], str]], as_json: bool, none: str = "none"
) -> None:
    """columns: heading and cell of each. none: what people read where there is no row."""
    if as_json:
        for row in found:
            line(row)
        return
    coming = iter(found)
    first = [_cells(row, columns) for row in itertools.islice(coming, LOOKED_AT)]
    if not first:
        write(none)
        return
    widths = [max(map(len, column)) for column in zip(columns, *first, strict=True)]
    for cells in itertools.chain([list(columns)], first, (_cells(row, columns) for row in coming)):
        write(SEPARATOR.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())


def line(value: Any) -> None:
    """One line of JSON."""
    write(json.dumps(plain(value)))


def pairs(found: Sequence[tuple[str, str]]) -> None:
    """Names and what belongs to them; a name that is repeated is shown once."""
    width = max(NAMES, *(len(name) for name, _ in found))
    before = ""
    for name, words in found:
        write(SEPARATOR.join([("" if name == before else name).ljust(width), printable(words)]).rstrip())
        before = name


def write(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def when(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def printable(text: str) -> str:
    """Without line ends, and without what would make a terminal do something."""
    return "".join(letter if letter.isprintable() else "·" for letter in text)


def plain(value: Any) -> Any:
    """Dataclasses, sets and moments as JSON has them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(plain, value))
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return value


def _cells(row: Row, columns: Mapping[str, Callable[[Row], str]]) -> list[str]:
    return [printable(cell(row)) for cell in columns.values()]
