"""Reading a long list: page by page, the next asked for while this one is handled, nothing twice, nothing missed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Row = TypeVar("Row")
Page = tuple[list[Row], int]

SIZE = 100  # rows; more is silently cut to this (`[api] maximum_page_limit`)
REMEMBERED = 10 * SIZE  # rows


def pages(
    ask: Callable[[int], Page[Row]], *, key: Callable[[Row], Hashable], ahead: Executor, remember: int = REMEMBERED
) -> Iterator[Row]:
    """Every row of a list, in a memory that does not grow with it.

    ask: gives (rows from this offset on, how many there are in all); all but the first page are asked for by `ahead`.
    key: what tells rows apart.

    Lists change while they are read. Each page is asked for from one row early: where no row of it was seen before,
    rows before it are gone, this page began too late, and it is read again from further up. Whatever is in the list
    all the time is given once, as long as fewer than `remember` rows come or go between two pages; where more do, some
    are given twice rather than missed.
    """
    rows, total = ask(0)
    if len(rows) >= total:
        yield from rows
        return
    size = len(rows)  # what the server gives at once, which may be less than we want
    early = 1 if size > 1 else 0
    begin = 0
    seen: dict[Hashable, None] = {}  # the last ones, in their order
    without_news: tuple[int, int, int] | None = None
    following: Future[Page[Row]] | None = None
    try:
        while rows:
            new = _new(rows, key, seen)
            end = begin + len(rows)
            place = (begin, end, total)
            if end >= total or (not new and place == without_news):  # what counts rows that it does not give never ends
                yield from new
                return
            without_news = None if new else place
            following = ahead.submit(ask, end - early)
            yield from new
            for gone in list(seen)[:-remember]:
                del seen[gone]
            begin, (rows, total) = end - early, following.result()
            while early and begin and not any(key(row) in seen for row in rows):
                begin = max(0, begin - size + 1)
                rows, total = ask(begin)
    finally:
        if following is not None:
            following.cancel()


def _new(rows: list[Row], key: Callable[[Row], Hashable], seen: dict[Hashable, None]) -> list[Row]:
    """The rows not seen yet, which are seen now. What stands before one that was seen is older still, or was added."""
    keys = [key(row) for row in rows]
    first = next((number for number, known in enumerate(keys) if known in seen), 0)
    new = [row for row, known in zip(rows[first:], keys[first:], strict=True) if known not in seen]
    seen.update(dict.fromkeys(keys[first:]))
    return new
