"""Keyset paging: a page begins after the last row of the page before, so every page costs the same.

A cursor names its list and that row. The row is compared as one row value, `(created_at, id) > (...)`, for which
an index on both columns can be used.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import DateTimeField, Func, Model, QuerySet, Value
from django.db.models.lookups import GreaterThan, LessThan
from django.utils.dateparse import parse_datetime

from portal.core import bounds

LONGEST = 1000  # characters of a cursor, which holds at most one name
HIGHEST = 2**62
Row = TypeVar("Row", bound=Model)


class BadCursor(ValueError):
    """The text is not a cursor of this list."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Rows, and the cursor of the next page; empty on the last page."""

    items: Sequence[Row]
    next: str = ""


class RowValue(Func):
    """The SQL row value `(a, b)`."""

    template = "(%(expressions)s)"
    output_field = DateTimeField()


def by_creation(rows: QuerySet[Row], *, after: str, size: int, name: str, oldest_first: bool = False) -> Page[Row]:
    """One page of `rows` by `created_at` and `id`.

    after: the cursor of the page before; empty for the first page. name: the list's name; a cursor is valid only for
    its own list. Raises BadCursor.
    """
    sign, beyond = ("", GreaterThan) if oldest_first else ("-", LessThan)
    name = f"{name}{sign}"
    if after:
        at, pk = read_cursor(after, name, str, int)
        rows = rows.filter(beyond(RowValue("created_at", "id"), RowValue(Value(_moment(at)), Value(pk))))
    found = list(rows.order_by(f"{sign}created_at", f"{sign}id")[: size + 1])
    if len(found) <= size:
        return Page(found)
    last: Any = found[size - 1]
    return Page(found[:size], write_cursor(name, last.created_at.isoformat(), last.pk))


def write_cursor(name: str, *place: str | int) -> str:
    text = json.dumps([name, *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, name: str, *types: type) -> list[Any]:
    """The values in a cursor of the list `name`, of these types. Raises BadCursor."""
    if len(cursor) > LONGEST:
        raise BadCursor
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        raise BadCursor from None
    if not isinstance(found, list) or [type(part) for part in found] != [str, *types] or found[0] != name:
        raise BadCursor
    if any(isinstance(part, int) and abs(part) > HIGHEST for part in found):
        raise BadCursor
    return found[1:]


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise BadCursor
    return bounds.moment(found)
