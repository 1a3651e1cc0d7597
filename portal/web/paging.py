"""Pages of lists, with cursors of portal.core.paging. A wrong cursor is answered with “Not found”."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from portal.core import paging
from portal.core.errors import Missing
from portal.core.paging import Page


def by_creation(rows: QuerySet[Any], *, after: str, size: int, name: str, oldest_first: bool = False) -> Page[Any]:
    """One page of `rows`. Raises Missing if `after` is not a cursor of this list."""
    try:
        return paging.by_creation(rows, after=after, size=size, name=name, oldest_first=oldest_first)
    except paging.BadCursor:
        raise Missing("There is no such page of this list. Open the list again.") from None
