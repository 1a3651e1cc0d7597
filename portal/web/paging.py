"""Keyset paging: a page is found by the last row of the one before it, so page 10,000 costs what page 1 does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q, QuerySet

from portal.core import bounds
from portal.core.errors import Missing


@dataclass(frozen=True)
class Page:
    """Rows, and the cursor of the page after them; empty on the last page."""

    items: Sequence[Any]
    next: str = ""


def oldest_first(rows: QuerySet[Any], *, after: str, size: int) -> Page:
    """The rows after the cursor `after` (empty: from the start) by creation. Raises Missing for an unreadable one."""
    if after:
        at, pk = _read(after)
        # the first condition is the one an index answers; the second cuts its edge
        rows = rows.filter(created_at__gte=at).filter(Q(created_at__gt=at) | Q(pk__gt=pk))
    found = list(rows.order_by("created_at", "pk")[: size + 1])
    more = len(found) > size
    return Page(found[:size], _write(found[size - 1]) if more else "")


def newest_first(rows: QuerySet[Any], *, after: str, size: int) -> Page:
    """The same backwards: the rows older than the cursor `after`."""
    if after:
        at, pk = _read(after)
        rows = rows.filter(created_at__lte=at).filter(Q(created_at__lt=at) | Q(pk__lt=pk))
    found = list(rows.order_by("-created_at", "-pk")[: size + 1])
    more = len(found) > size
    return Page(found[:size], _write(found[size - 1]) if more else "")


def _write(row: Any) -> str:
    micros = int(row.created_at.timestamp()) * 1_000_000 + row.created_at.microsecond
    return f"{micros}.{row.pk}"


def _read(cursor: str) -> tuple[datetime, int]:
    micros, dot, pk = cursor.partition(".")
    if not (dot and micros.isascii() and micros.isdigit() and pk.isascii() and pk.isdigit() and len(cursor) < 40):
        raise Missing("There is no such page of this list. Open the list again.")
    seconds, rest = divmod(int(micros), 1_000_000)
    try:
        at, number = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=rest), int(pk)
        if number < 2**63:
            return bounds.moment(at), number
        raise OverflowError
    except (OverflowError, ValueError, OSError):
        raise Missing("There is no such page of this list. Open the list again.") from None
