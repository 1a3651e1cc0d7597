"""Reads a long list page by page, each page while the one before is handled."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

from airflow_bridge.errors import Unexpected

Row = TypeVar("Row")
Page = tuple[list[Row], int]

SIZE = 100  # rows; more is silently cut to this (`[api] maximum_page_limit`)
REMEMBERED = 10 * SIZE  # rows
WITHOUT_NEWS = 10  # pages in a row without a new row, beside those that repeat what is remembered
WAY_OUT = "Look at what stands in front of it (a proxy, a cache), or ask again when it changes less."


def pages(
    ask: Callable[[int], Page[Row]],
    *,
    key: Callable[[Row], Hashable],
    ahead: Executor,
    remember: int = REMEMBERED,
    asked: str = "Airflow was asked for a list",
) -> Iterator[Row]:
    """Every row of a list, in constant memory.

    ask: gives (rows from this offset on, rows in all); `ahead` runs it for all pages but the first.
    key: identifies a row. asked: "prod was asked for its users", for errors.

    Lists change while they are read, so pages overlap by one row. If no row of a page was seen before, rows before it
    were deleted, and the page is read again from further up. A row that is in the list all the time is given once if
    fewer than `remember` rows come or go between two pages; otherwise some rows are given twice, and none is missed.

    Raises Unexpected for a list without an end, or with far fewer rows than it says.
    """
    rows, total = ask(0)
    if rows and len(rows) >= total:
        yield from rows
        return
    size = len(rows)  # the server's own limit may be lower than ours
    early = 1 if size > 1 else 0
    most = WITHOUT_NEWS + 2 * remember // max(1, size - early)
    begin = given = without_news = 0
    least = total  # the lowest total: rows that were added while we read may be missing
    seen: dict[Hashable, None] = {}  # the latest keys, in order
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
            # a page without new rows does not prove the end: the next page must be empty
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
    """The rows that were not seen yet; marks them as seen. Rows before the first known one are not new."""
    keys = [key(row) for row in rows]
    first = next((number for number, known in enumerate(keys) if known in seen), 0)
    new = [row for row, known in zip(rows[first:], keys[first:], strict=True) if known not in seen]
    seen.update(dict.fromkeys(keys[first:]))
    return new
