"""Lists a page at a time. A cursor names the last row of a page, so the next one costs the same at any depth."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from pydantic import BaseModel, Field

from portal.api.parsing import Params
from portal.core import bounds
from portal.core.errors import Invalid

LONGEST = 1000  # characters of a cursor; one names a row by its name at most
Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


class Page(BaseModel, Generic[Item]):
    """Some items, and the cursor of the next page: null on the last one."""

    items: list[Item]
    next: str | None = None


class PageParams(Params):
    cursor: str = Field("", description="`next` of the page before")
    limit: int = Field(50, ge=1, le=200, description="items on a page")


def by_creation(
    rows: QuerySet[Row], params: PageParams, kind: str, *, oldest_first: bool = False
) -> tuple[list[Row], str | None]:
    """One page of `rows` by when they were made. Raises Invalid for a cursor of another list, or none at all."""
    sign, compare = ("", "gt") if oldest_first else ("-", "lt")
    if params.cursor:
        at, pk = read_cursor(params.cursor, f"{kind}{sign}", str, int)
        moment = _moment(at)
        # the first condition is the one an index answers; the second cuts its edge
        edge = Q(**{f"created_at__{compare}": moment}) | Q(created_at=moment, **{f"pk__{compare}": pk})
        rows = rows.filter(**{f"created_at__{compare}e": moment}).filter(edge)
    found = list(rows.order_by(f"{sign}created_at", f"{sign}pk")[: params.limit + 1])
    if len(found) <= params.limit:
        return found, None
    last: Any = found[params.limit - 1]
    return found[: params.limit], write_cursor(f"{kind}{sign}", last.created_at.isoformat(), last.pk)


def by_name(
    rows: Sequence[Item], params: PageParams, kind: str, name: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """One page of a list that is read whole anyway, in the order of its names."""
    ordered = sorted(rows, key=name)
    if params.cursor:
        (last,) = read_cursor(params.cursor, kind, str)
        ordered = [row for row in ordered if name(row) > last]
    page = ordered[: params.limit]
    return page, write_cursor(kind, name(page[-1])) if len(ordered) > params.limit else None


def write_cursor(kind: str, *place: str | int) -> str:
    text = json.dumps([kind, *place], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(cursor: str, kind: str, *types: type) -> list[Any]:
    """The place a cursor names. Raises Invalid (`cursor`) unless it is one of this list."""
    if len(cursor) > LONGEST:
        raise _invalid()
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        found = json.loads(text)
    except (ValueError, binascii.Error, RecursionError):
        found = None
    if not isinstance(found, list) or [type(part) for part in found] != [str, *types] or found[0] != kind:
        raise _invalid()
    if any(isinstance(part, int) and abs(part) > 2**62 for part in found):
        raise _invalid()
    return found[1:]


def _moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise _invalid()
    return bounds.moment(found)


def _invalid() -> Invalid:
    return Invalid({"cursor": "This is not a cursor of this list. Start without one."})
