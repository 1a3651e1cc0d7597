"""Pages and their order, as Airflow 3 gives them: one rule for its own lists, another for FAB's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tests.fake_airflow.replies import detail, faulty
from tests.fake_airflow.routing import Call, Orders, ordered
from tests.fake_airflow.v2.bodies import refuse

LONGEST = 100  # rows at most, whatever `limit` says
USUAL = 50


def page(
    key: str,
    rows: Sequence[Any],
    call: Call,
    serialize: Callable[[Any], Any],
    *,
    absent: int = USUAL,
    none: int = 0,
    capped: bool = False,
) -> dict[str, Any]:
    """absent: rows where no limit is given; none: rows where it is 0; capped: on every release."""
    limit, offset = _number(call, "limit", absent), _number(call, "offset", 0)
    limit = limit or none
    if capped or call.state.release.since(3, 3):  # the lists of 3.0 and 3.1 are as long as one wants
        limit = min(limit, LONGEST)
    return {key: [serialize(row) for row in rows[offset : offset + limit]], "total_entries": len(rows)}


def with_cursors(answer: dict[str, Any], call: Call) -> dict[str, Any]:
    """The newest releases can page in another way, too, which is not used here."""
    if call.state.release.since(3, 3):
        answer |= dict.fromkeys(("total_entries_limit", "next_cursor", "previous_cursor"))
    return answer


def fab_page(key: str, rows: Sequence[Any], call: Call, serialize: Callable[[Any], Any]) -> dict[str, Any]:
    return page(key, rows, call, serialize, absent=LONGEST, none=USUAL, capped=True)


def _number(call: Call, name: str, usual: int) -> int:
    given = call.query.get(name, str(usual))
    if not given.removeprefix("-").isdigit():
        words = "Input should be a valid integer, unable to parse string as an integer"
        raise refuse([faulty("int_parsing", ("query", name), words, given)])
    if int(given) < 0:
        words = "Input should be greater than or equal to 0"
        raise refuse([faulty("greater_than_equal", ("query", name), words, given, ctx={"ge": 0})])
    return int(given)


def in_order(rows: Sequence[Any], call: Call, default: str, orders: Orders, *, fab: bool = False) -> list[Any]:
    order_by = call.query.get("order_by", default)
    try:
        return ordered(rows, order_by, orders)
    except KeyError:
        named = order_by if fab else order_by.lstrip("-")
        words = f"Ordering with '{named}' is disallowed or the attribute does not exist on the model"
        raise detail(400, words) from None
