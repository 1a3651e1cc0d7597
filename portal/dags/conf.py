"""Checking a run's parameters: one validator for the page and the API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from portal.catalogue.models import Dag
from portal.core import bounds
from portal.core.errors import Invalid
from portal.core.integers import TOO_LARGE, fits
from portal.dags.secrets import mask_locked

MAX_BYTES = 64 * 1024  # of the values as UTF-8; how they were escaped on their way does not count
MAX_TYPED = 3 * MAX_BYTES  # a letter of two bytes may be typed as an escape of six
MAX_DEPTH = 32
MAX_DIGITS = 1000  # of a number that is read at all; Python refuses some thousands


def parse(text: str) -> dict[str, Any]:
    """The JSON object in `text` (empty: no parameters). Raises Invalid with line and column of what is wrong."""
    if not text.strip():
        return {}
    if len(text.encode("utf-8", "replace")) > MAX_TYPED:
        raise Invalid({"conf": f"The parameters are larger than {MAX_BYTES // 1024} KiB."})
    try:
        value = json.loads(
            text, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates
        )
    except json.JSONDecodeError as error:
        raise Invalid({"conf": f"Not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}."}) from error
    except RecursionError:
        raise Invalid({"conf": f"The parameters are nested deeper than {MAX_DEPTH} levels."}) from None
    return checked(value)


def _refuse_constant(name: str) -> NoReturn:
    raise Invalid({"conf": f"{name} is not a valid JSON number."})


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Invalid({"conf": f"The parameters hold {TOO_LARGE}"})
    return int(text)


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if (twin := bounds.first_duplicate(name for name, _ in pairs)) is not None:
        raise Invalid({"conf": f"“{twin[:80]}” is given twice."})
    return dict(pairs)


def checked(value: Any) -> dict[str, Any]:
    """`value` if it can be the parameters of a run: a JSON object, not too large, not too deep, finite numbers."""
    if not isinstance(value, Mapping):
        raise Invalid({"conf": 'The parameters must be a JSON object, like {"region": "KR"}.'})
    for name, item in value.items():
        _check(name, name, 1)
        _check(item, name, 1)
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise Invalid({"conf": "A number in the parameters is too large or not a number."}) from None
    if size > MAX_BYTES:
        raise Invalid({"conf": f"The parameters are larger than {MAX_BYTES // 1024} KiB."})
    return dict(value)


def _check(value: Any, name: str, depth: int) -> None:
    """name: of the parameter that `value` is, or is in."""
    if depth > MAX_DEPTH:
        raise Invalid({"conf": f"The parameters are nested deeper than {MAX_DEPTH} levels."})
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise Invalid({"conf": "A text in the parameters holds a character that cannot be stored."})
    elif isinstance(value, int):
        if not fits(value):
            raise Invalid({"conf": f"“{name[:80]}” holds {TOO_LARGE}"})
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(key, name, depth + 1)
            _check(item, name, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(item, name, depth + 1)


def with_locked(conf: Mapping[str, Any], dag: Dag) -> dict[str, Any]:
    """`conf` with the DAG's locked parameters. Raises Invalid where it gives one of them another value."""
    for name, value in dag.locked.items():
        if name in conf and conf[name] != value:
            fixed = json.dumps(mask_locked(dag)[name], ensure_ascii=False)
            raise Invalid({"conf": f"“{name}” is fixed to {fixed} for this DAG; leave it out."})
    return {**conf, **dag.locked}
