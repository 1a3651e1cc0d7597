"""JSON without what different programs read differently: a name given twice, NaN, Infinity, a number too large."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from portal.core import bounds

LONGEST_INTEGER = 4300  # digits; Python converts no more


class GivenTwice(Exception):
    """name: the name that one object has twice."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotFinite(Exception):
    """A number without a value, or too large. `str()`: the number as it was written."""


class TooDeep(Exception):
    """Objects or arrays are nested more deeply than allowed, or than Python can read."""


def _integer(text: str) -> int:
    return int(text) if len(text) <= LONGEST_INTEGER else _not_finite(text)


def read(text: str, *, integer: Callable[[str], int] = _integer) -> Any:
    """The value of a JSON text. integer: reads a whole number.

    Raises GivenTwice, NotFinite, TooDeep, and ValueError for a text that is not JSON.
    """
    try:
        return json.loads(
            text, parse_int=integer, parse_float=_finite, parse_constant=_not_finite, object_pairs_hook=object_of
        )
    except RecursionError:
        raise TooDeep from None


def leaves(value: Any, *, deepest: int) -> Iterator[Any]:
    """Every name in the objects of `value`, and every value that is neither an object nor an array.

    deepest: the levels of nesting allowed, `value` itself included. Raises TooDeep.
    """
    if deepest < 1:
        raise TooDeep
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from leaves(name, deepest=deepest - 1)
            yield from leaves(part, deepest=deepest - 1)
    elif isinstance(value, list):
        for part in value:
            yield from leaves(part, deepest=deepest - 1)
    else:
        yield value


def _not_finite(text: str) -> NoReturn:
    raise NotFinite(text)


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object with these members, for `json.loads`. Raises GivenTwice."""
    if (name := bounds.first_duplicate(name for name, _ in pairs)) is not None:
        raise GivenTwice(name)
    return dict(pairs)
