"""Pages of a list (portal.core.paging), with the answer for an address of no page."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet

from portal.core import paging
from portal.core.errors import Missing
from portal.core.paging import Page


def by_creation(rows: QuerySet[Any], *, after: str, size: int, name: str, oldest_first: bool = False) -> Page[Any]:
    """Raises Missing where `after` is no cursor of this list."""
    try:
        return paging.by_creation(rows, after=after, size=size, name=name, oldest_first=oldest_first)
    except paging.BadCursor:
        raise Missing("There is no such page of this list. Open the list again.") from None
