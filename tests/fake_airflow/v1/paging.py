"""Pages and their order, as Airflow 2 gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.fake_airflow.replies import problem
from tests.fake_airflow.routing import Call, Orders, ordered

LONGEST = 100  # rows at most, whatever `limit` says
PAGED: Mapping[str, type] = {"limit": int, "offset": int, "order_by": str}


def page(
    key: str, rows: Sequence[Any], call: Call, serialize: Callable[[Any], Any], *, capped: bool = True
) -> dict[str, Any]:
    """capped: False for the one list that takes `limit` as it comes."""
    limit = int(call.query.get("limit", LONGEST))
    offset = int(call.query.get("offset", 0))
    if limit < 0:
        raise problem(400, title="Page limit must be a positive integer")
    if offset < 0:
        raise problem(400, f"{offset} is less than the minimum of 0")
    if capped:
        limit = min(limit or LONGEST, LONGEST)
    return {key: [serialize(row) for row in rows[offset : offset + limit]], "total_entries": len(rows)}


def in_order(rows: Sequence[Any], call: Call, default: str, orders: Orders, *, both_ways: bool = True) -> list[Any]:
    """both_ways: False for users and roles, whose order cannot be turned round."""
    order_by = call.query.get("order_by", default)
    try:
        if not both_ways and order_by.startswith("-"):
            raise KeyError(order_by)
        return ordered(rows, order_by, orders)
    except KeyError:
        named = order_by.lstrip("-") if both_ways else order_by
        words = f"Ordering with '{named}' is disallowed or the attribute does not exist on the model"
        raise problem(400, words) from None
