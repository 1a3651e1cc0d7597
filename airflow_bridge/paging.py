"""Reading a long list: page by page, the next asked for while this one is handled, nothing twice, nothing missed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Row = TypeVar("Row")
Page = tuple[list[Row], int]

SIZE = 100  # rows; more is silently cut to this (`[api] maximum_page_limit`)


def pages(ask: Callable[[int], Page[Row]], *, key: Callable[[Row], Hashable]) -> Iterator[Row]:
    """Every row of a list, in a memory that does not grow with it.

    ask: gives (rows from this offset on, how many there are in all); it is called from a thread of its own where there
    is more than one page. key: what tells rows apart.

    Lists change while they are read. Each page is asked for from one row early: where its first row is none of the last
    page's, rows before it are gone, this page began too late, and it is read again from further up.
    """
    rows, total = ask(0)
    if len(rows) >= total:
        yield from rows
        return
    ahead = ThreadPoolExecutor(1, thread_name_prefix="airflow-pages")
    try:
        offset = 0
        known: frozenset[Hashable] = frozenset()
        while rows:
            new = [row for row in rows if key(row) not in known]
            end = offset + len(rows)
            following: Future[Page[Row]] | None = None
            begin = max(end - 1, offset + 1)
            if end < total:
                following = ahead.submit(ask, begin)
            yield from new
            if following is None:
                return
            # a page that began with rows of the one before it does not make us forget those
            known = frozenset(key(row) for row in rows) | (known if len(new) + 1 < len(rows) else frozenset())
            offset, (rows, total) = begin, following.result()
            while offset and (not rows or key(rows[0]) not in known):
                offset = max(0, offset - SIZE + 1)
                rows, total = ask(offset)
    finally:
        ahead.shutdown(wait=False, cancel_futures=True)
