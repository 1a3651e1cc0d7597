"""Checks of a run's parameters, for the pages and the API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from portal.catalogue.models import Dag
from portal.core import bounds, strict_json
from portal.core.errors import Invalid
from portal.core.integers import TOO_LARGE, fits
from portal.dags.parameters.secrets import mask_locked

MAX_BYTES = 64 * 1024  # of the values as UTF-8, without escapes
MAX_TYPED = 3 * MAX_BYTES  # of the typed text: a letter of two bytes may be typed as an escape of six
MAX_DEPTH = 32
TOO_DEEP = f"The parameters are nested deeper than {MAX_DEPTH} levels."
MAX_DIGITS = 1000  # of a number; Python itself refuses more than 4300


def parse(text: str) -> dict[str, Any]:
    """The JSON object in `text` (empty: no parameters). Raises Invalid with line and column of what is wrong."""
    return checked(parse_value(text)) if text.strip() else {}


def parse_value(text: str) -> Any:
    """The JSON value in `text`. Raises Invalid (`conf`) with line and column of what is wrong, and for a value that is
    too deep or that cannot be stored."""
    if len(text.encode("utf-8", "replace")) > MAX_TYPED:
        raise Invalid({"conf": f"The parameters are larger than {MAX_BYTES // 1024} KiB."})
    try:
        value = strict_json.read(text, integer=_integer)
        _check_texts(strict_json.leaves(value, deepest=MAX_DEPTH + 1))  # of a parameter, or of all of them
    except strict_json.GivenTwice as twice:
        raise Invalid({"conf": f"“{twice.name[:80]}” is given twice."}) from None
    except strict_json.NotFinite as number:
        raise Invalid({"conf": f"{str(number)[:20]} is not a number that can be stored."}) from None
    except strict_json.TooDeep:
        raise Invalid({"conf": TOO_DEEP}) from None
    except json.JSONDecodeError as error:
        raise Invalid({"conf": f"Not valid JSON at line {error.lineno}, column {error.colno}: {error.msg}."}) from error
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise Invalid({"conf": f"The parameters hold {TOO_LARGE}"})
    return int(text)


def checked(value: Any) -> dict[str, Any]:
    """`value`, if it is a JSON object that is not too large or too deep and has only finite numbers. Else Invalid."""
    if not isinstance(value, Mapping):
        raise Invalid({"conf": 'The parameters must be a JSON object, like {"region": "KR"}.'})
    for name, item in value.items():
        _check(name, item)
    try:
        size = len(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())
    except ValueError:
        raise Invalid({"conf": "A number in the parameters is too large or not a number."}) from None
    if size > MAX_BYTES:
        raise Invalid({"conf": f"The parameters are larger than {MAX_BYTES // 1024} KiB."})
    return dict(value)


def _check(name: str, value: Any) -> None:
    """Check one parameter. Raises Invalid."""
    try:
        leaves = [name, *strict_json.leaves(value, deepest=MAX_DEPTH)]
    except strict_json.TooDeep:
        raise Invalid({"conf": TOO_DEEP}) from None
    _check_texts(leaves)
    for leaf in leaves:
        if isinstance(leaf, int) and not fits(leaf):
            raise Invalid({"conf": f"“{name[:80]}” holds {TOO_LARGE}"})


def _check_texts(leaves: Iterable[Any]) -> None:
    for leaf in leaves:
        if isinstance(leaf, str) and not bounds.is_storable(leaf):
            raise Invalid({"conf": "A text in the parameters holds a character that cannot be stored."})


def with_locked(conf: Mapping[str, Any], dag: Dag) -> dict[str, Any]:
    """`conf` with the DAG's locked parameters. Raises Invalid if it has another value for one of them."""
    for name, value in dag.locked.items():
        if name in conf and conf[name] != value:
            fixed = json.dumps(mask_locked(dag)[name], ensure_ascii=False)
            raise Invalid({f"conf.{name[:80]}": f"“{name}” is fixed to {fixed} for this DAG; leave it out."})
    return {**conf, **dag.locked}
