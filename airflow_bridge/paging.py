"""Reading a long list: page by page, the next asked for while this one is handled, nothing twice, nothing missed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

from airflow_bridge.errors import Unexpected

Row = TypeVar("Row")
Page = tuple[list[Row], int]

SIZE = 100  # rows; more is silently cut to this (`[api] maximum_page_limit`)
REMEMBERED = 10 * SIZE  # rows
WITHOUT_NEWS = 10  # pages in a row, and as many more as it takes to go through all that is remembered twice
WAY_OUT = "Look at what stands in front of it (a proxy, a cache), or ask again when it changes less."


def pages(
    ask: Callable[[int], Page[Row]],
    *,
    key: Callable[[Row], Hashable],
    ahead: Executor,
    remember: int = REMEMBERED,
    asked: str = "Airflow was asked for a list",
) -> Iterator[Row]:
    """Every row of a list, in a memory that does not grow with it.

    ask: gives (rows from this offset on, how many there are in all); all but the first page are asked for by `ahead`.
    key: what tells rows apart. asked: "prod was asked for its users", for the words of an error.

    Lists change while they are read. Each page is asked for from one row early: where no row of it was seen before,
    rows before it are gone, this page began too late, and it is read again from further up. Whatever is in the list
    all the time is given once, as long as fewer than `remember` rows come or go between two pages; where more do, some
    are given twice rather than missed.

    Raises Unexpected where the list has no end, or ends far from where it said.
    """
    rows, total = ask(0)
    if rows and len(rows) >= total:
        yield from rows
        return
    size = len(rows)  # what the server gives at once, which may be less than we want
    early = 1 if size > 1 else 0
    most = WITHOUT_NEWS + 2 * remember // max(1, size - early)
    begin = given = without_news = 0
    least = total  # of what it said: rows that came while we read need not be among ours
    seen: dict[Hashable, None] = {}  # the last ones, in their order
    following: Future[Page[Row]] | None = None
    try:
        while rows:
            new = _new(rows, key, seen)
            given += len(new)
            without_news = 0 if new else without_news + 1
            if without_news > most:
                raise Unexpected(f"{asked} and gave the same {given} rows of {total} again and again. {WAY_OUT}")
            end = begin + len(rows)
            if new and end >= total:
                yield from new
                break
            # a page without news shows no end: asked for from there on, there must be nothing
            following_begin = end if end >= total else max(end - early, begin + 1)
            following = ahead.submit(ask, following_begin)
            yield from new
            for gone in list(seen)[:-remember]:
                del seen[gone]
            begin, (rows, total) = following_begin, following.result()
            least = min(least, total)
            if not rows and begin == end:
                break
            while early and begin and not any(key(row) in seen for row in rows):
                begin = max(0, begin - size + 1)
                following = ahead.submit(ask, begin)
                rows, total = following.result()
                least = min(least, total)
    finally:
        if following is not None:
            following.cancel()
    if (least > 0 and not given) or (given < least / 2 and least - given >= SIZE):
        raise Unexpected(f"{asked} and gave {given} rows of the {least} that it counts. {WAY_OUT}")


def _new(rows: list[Row], key: Callable[[Row], Hashable], seen: dict[Hashable, None]) -> list[Row]:
    """The rows not seen yet, which are seen now. What stands before one that was seen is older still, or was added."""
    keys = [key(row) for row in rows]
    first = next((number for number, known in enumerate(keys) if known in seen), 0)
    new = [row for row, known in zip(rows[first:], keys[first:], strict=True) if known not in seen]
    seen.update(dict.fromkeys(keys[first:]))
    return new
