"""Pages of lists, with cursors of portal.core.paging."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet
from pydantic import BaseModel, Field

from portal.api.parsing import Params
from portal.core import paging
from portal.core.errors import Invalid

Item = TypeVar("Item")
Row = TypeVar("Row", bound=Model)


class Page(BaseModel, Generic[Item]):
    """Some items, and the cursor of the next page; null on the last page."""

    items: list[Item]
    next: str | None = None


class PageParams(Params):
    cursor: str = Field("", description="`next` of the previous page")
    limit: int = Field(50, ge=1, le=200, description="items per page")


def by_creation(
    rows: QuerySet[Row], params: PageParams, name: str, *, oldest_first: bool = False
) -> tuple[Sequence[Row], str | None]:
    """One page of `rows` in the order of their creation, and the next cursor. Raises Invalid (`cursor`)."""
    with valid_cursor():
        page = paging.by_creation(rows, after=params.cursor, size=params.limit, name=name, oldest_first=oldest_first)
    return page.items, page.next or None


def by_name(
    rows: Sequence[Item], params: PageParams, name: str, name_of: Callable[[Item], str]
) -> tuple[list[Item], str | None]:
    """One page of a complete list, sorted by name, and the next cursor. Raises Invalid (`cursor`)."""
    ordered = sorted(rows, key=name_of)
    if params.cursor:
        with valid_cursor():
            (last,) = paging.read_cursor(params.cursor, name, str)
        ordered = [row for row in ordered if name_of(row) > last]
    page = ordered[: params.limit]
    return page, paging.write_cursor(name, name_of(page[-1])) if len(ordered) > params.limit else None


@contextmanager
def valid_cursor() -> Iterator[None]:
    """Turns BadCursor into Invalid (`cursor`)."""
    try:
        yield
    except paging.BadCursor:
        raise Invalid({"cursor": "This is not a cursor of this list. Start without one."}) from None
