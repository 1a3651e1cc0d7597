"""Brings rows of the catalogue's tables to a wanted state, with as few writes as possible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import QuerySet

from portal.catalogue.models import Dag, Deployment, Entitlement

Row = TypeVar("Row", Deployment, Entitlement, Dag)


def sync(
    rows: QuerySet[Row], wanted: Mapping[tuple[Any, ...], dict[str, Any]], *, key: tuple[str, ...], now: datetime
) -> tuple[dict[tuple[Any, ...], Row], list[Row]]:
    """Create, change, restore or retire so that of `rows`, exactly `wanted` is in force.

    Returns all rows of `wanted` by `key`, and those of them that are new or changed.
    """
    model = rows.model
    there = {tuple(getattr(row, name) for name in key): row for row in rows}
    fresh: list[Row] = []
    changed: list[Row] = []
    fields = {"retired_at", *(name for values in wanted.values() for name in values)}
    for place, values in wanted.items():
        values = {**values, "retired_at": None}
        row = there.get(place)
        if row is None:
            there[place] = row = model(**values)
            fresh.append(row)
        elif any(getattr(row, name) != value for name, value in values.items()):
            for name, value in values.items():
                setattr(row, name, value)
            changed.append(row)
    gone = [row.pk for place, row in there.items() if place not in wanted and row.retired_at is None]
    model._default_manager.bulk_create(fresh)
    if changed:
        model._default_manager.bulk_update(changed, sorted(fields), batch_size=AT_ONCE)
    for start in range(0, len(gone), AT_ONCE):
        model._default_manager.filter(pk__in=gone[start : start + AT_ONCE]).update(retired_at=now)
    return {place: there[place] for place in wanted}, fresh + changed


AT_ONCE = 500  # rows in one statement
