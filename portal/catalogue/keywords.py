"""JSON Schema keywords for parameters, from `bounds` in gatehouse.toml.

Only keywords of draft 2020-12 that validate a value are possible. There is no `$ref`, so nothing is fetched and no
schema refers to itself. Patterns must be supported by RE2, which needs time proportional to the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from portal.catalogue import patterns

LARGEST = 16 * 1024  # bytes of one DAG's bounds as JSON
DEEPEST = 8  # levels of schemas
TYPES = ("string", "number", "integer", "boolean", "array", "object", "null")
FORMATS = ("date", "date-time", "time", "duration", "email", "ipv4", "ipv6", "uri", "uuid", "hostname")


def checked(bounds: Mapping[str, Any]) -> None:
    """Check {parameter: keywords}. Raises ValueError with the parameter, the keyword, the reason and what to do."""
    for name, keywords in bounds.items():
        if not name or len(name) > 250:
            raise ValueError("the name of a parameter has 1 to 250 characters.")
        if not isinstance(keywords, dict):
            raise ValueError(f"“{name[:60]}” takes a table of JSON Schema keywords, like {{ maximum = 30 }}.")
        if not keywords:
            raise ValueError(f"“{name[:60]}” has no keyword, like maximum = 30; add one or remove it.")
        _schema(keywords, name, DEEPEST)
    if len(json.dumps(bounds, ensure_ascii=False).encode()) > LARGEST:
        raise ValueError(f"the bounds of one DAG have at most {LARGEST // 1024} KiB.")


def _schema(value: Any, at: str, deepest: int) -> None:
    if isinstance(value, bool):
        return
    if not isinstance(value, dict):
        raise ValueError(f"“{at[:120]}” takes a table of JSON Schema keywords.")
    if deepest < 1:
        raise ValueError(f"“{at[:120]}” is nested more than {DEEPEST} levels deep.")
    for keyword, item in value.items():
        check = KEYWORDS.get(keyword)
        here = f"{at}.{keyword}"
        if check is None:
            raise ValueError(f"“{here[:120]}”: {_unknown(keyword)}")
        check(item, here, deepest)
    for low, high in (
        ("minimum", "maximum"),
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
    ):
        if low in value and high in value and value[low] > value[high]:
            raise ValueError(f"“{at[:120]}”: {low} is larger than {high}, so no value is allowed; correct one.")


def _unknown(keyword: str) -> str:
    if keyword.startswith("$"):
        return f"{keyword[:40]} is not possible here; write the keywords out."
    close = get_close_matches(keyword, KEYWORDS, n=1)
    hint = f"Did you mean “{close[0]}”?" if close else f"Possible: {', '.join(sorted(KEYWORDS))}."
    return f"there is no such keyword. {hint}"


def _number(value: Any, at: str, _: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"“{at[:120]}” takes a number.")


def _positive(value: Any, at: str, deepest: int) -> None:
    _number(value, at, deepest)
    if value <= 0:
        raise ValueError(f"“{at[:120]}” takes a number above 0.")


def _count(value: Any, at: str, _: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"“{at[:120]}” takes a whole number from 0 on.")


def _flag(value: Any, at: str, _: int) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"“{at[:120]}” takes true or false.")


def _pattern(value: Any, at: str, _: int) -> None:
    if not isinstance(value, str):
        raise ValueError(f"“{at[:120]}” takes a pattern as text, in quotes.")
    try:
        patterns.checked(value)
    except ValueError as error:
        raise ValueError(f"“{at[:120]}”: {error}") from None


def _type(value: Any, at: str, _: int) -> None:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name in TYPES for name in names):
        raise ValueError(f"“{at[:120]}” takes one or several of {', '.join(TYPES)}.")


def _format(value: Any, at: str, _: int) -> None:
    if value not in FORMATS:
        raise ValueError(f"“{at[:120]}” takes one of {', '.join(FORMATS)}.")


def _choices(value: Any, at: str, _: int) -> None:
    if not isinstance(value, list) or not value:
        raise ValueError(f"“{at[:120]}” takes a list of the allowed values, with at least one.")


def _any(value: Any, at: str, _: int) -> None:
    """Every value is possible."""


def _names(value: Any, at: str, _: int) -> None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError(f"“{at[:120]}” takes a list of names.")


def _one(value: Any, at: str, deepest: int) -> None:
    _schema(value, at, deepest - 1)


def _several(value: Any, at: str, deepest: int) -> None:
    if not isinstance(value, list) or not value:
        raise ValueError(f"“{at[:120]}” takes a list of tables of keywords, with at least one.")
    for number, item in enumerate(value, start=1):
        _schema(item, f"{at}[{number}]", deepest - 1)


def _by_name(value: Any, at: str, deepest: int) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"“{at[:120]}” takes a table with one table of keywords for each name.")
    for name, item in value.items():
        _schema(item, f"{at}.{name}", deepest - 1)


KEYWORDS: dict[str, Callable[[Any, str, int], None]] = {
    "type": _type,
    "enum": _choices,
    "const": _any,
    "minimum": _number,
    "maximum": _number,
    "exclusiveMinimum": _number,
    "exclusiveMaximum": _number,
    "multipleOf": _positive,
    "minLength": _count,
    "maxLength": _count,
    "pattern": _pattern,
    "format": _format,
    "minItems": _count,
    "maxItems": _count,
    "uniqueItems": _flag,
    "contains": _one,
    "minContains": _count,
    "maxContains": _count,
    "prefixItems": _several,
    "items": _one,
    "minProperties": _count,
    "maxProperties": _count,
    "required": _names,
    "properties": _by_name,
    "additionalProperties": _one,
    "propertyNames": _one,
    "allOf": _several,
    "anyOf": _several,
    "oneOf": _several,
    "not": _one,
}
