"""Validation of values by JSON Schema (draft 2020-12), for schemas that strangers wrote.

The library jsonschema decides. Differences from its defaults, all of them limits:
- Remote references are not fetched.
- Patterns are matched by the module `regex` with a time limit. It knows the syntax of `re`.
- A validation has a limited number of steps and a limited time, because references, alternatives and patterns can
  multiply.
- `uniqueItems` takes time in proportion to the list.

Formats are checked by the format checker that Airflow uses (`jsonschema.FormatChecker()`): `time` is `17:00:00`.
"""

from __future__ import annotations

import contextvars
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema
import regex
from jsonschema import Draft202012Validator, FormatChecker, ValidationError, validators
from referencing import Registry
from referencing.exceptions import Unresolvable

from portal.core import strict_json

STEPS = 50_000  # of one validation: keywords that are applied
SECONDS = 2.0  # of one validation
LONGEST_FORMATTED = 2_000  # characters of a text whose format is checked
LONGEST_PATTERN = 1_000
PATTERN_SECONDS = 0.2
DEEPEST = 40
LARGEST = 64 * 1024  # characters of a schema as JSON


@dataclass
class _Left:
    """What is left of one validation."""

    steps: int
    until: float  # on the monotonic clock

    def spend(self) -> None:
        """Count a step. Raises BadSchema if the validation takes too long."""
        self.steps -= 1
        if self.steps < 0 or time.monotonic() > self.until:
            raise BadSchema("checking a value against it takes too long")


_left: contextvars.ContextVar[_Left] = contextvars.ContextVar("left")
Check = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]


class BadSchema(Exception):
    """The schema is not valid, or it cannot be applied within the limits. `str()`: the reason, for people."""


def errors(schema: Any, value: Any) -> list[ValidationError]:
    """The errors of `value`, the most relevant first; empty if it is valid. Raises BadSchema."""
    token = _left.set(_Left(STEPS, time.monotonic() + SECONDS))
    try:
        validator = _Limited(_one_draft(schema), format_checker=FORMATS, registry=Registry())
        found = list(validator.iter_errors(value))
    except Unresolvable as error:
        raise BadSchema(f"it refers to {str(error.ref)[:80]}, which is not in the schema") from None
    except RecursionError:
        raise BadSchema("it refers to itself without an end") from None
    except jsonschema.exceptions.UnknownType as error:
        raise BadSchema(f"there is no type {str(error.type)[:40]}") from None
    except ArithmeticError as error:  # `multipleOf: 0`, or a number that does not fit
        raise BadSchema(f"it cannot be calculated ({str(error)[:120]})") from None
    except (TypeError, ValueError, KeyError, AttributeError, regex.error) as error:  # a keyword of a wrong type
        raise BadSchema(f"it is not a valid JSON Schema ({str(error)[:120]})") from None
    finally:
        _left.reset(token)
    return sorted(found, key=jsonschema.exceptions.relevance, reverse=True)


def check_schema(schema: Any) -> None:
    """Raises BadSchema if `schema` is no JSON Schema of draft 2020-12, or is larger than allowed."""
    try:
        size = sum(len(leaf) if isinstance(leaf, str) else 8 for leaf in strict_json.leaves(schema, deepest=DEEPEST))
    except strict_json.TooDeep:
        raise BadSchema(f"it is nested deeper than {DEEPEST} levels") from None
    if size > LARGEST:
        raise BadSchema("it is larger than 64 KiB")
    try:
        Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        at = ".".join(str(step) for step in error.absolute_path)
        raise BadSchema(f"{at or 'the schema'}: {error.message[:160]}") from None


def _one_draft(schema: Any) -> Any:
    """`schema` without `$schema`: the library would use the validator of that draft, which has no limits."""
    if isinstance(schema, Mapping):
        return {
            name: _one_draft(part) for name, part in schema.items() if name != "$schema" or not isinstance(part, str)
        }
    return [_one_draft(part) for part in schema] if isinstance(schema, list) else schema


def _counted(check: Check) -> Check:
    def step(validator: Any, keyword: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        _left.get().spend()
        yield from check(validator, keyword, value, schema) or ()

    return step


def _found(pattern: str, text: str) -> bool:
    if len(pattern) > LONGEST_PATTERN:
        raise BadSchema(f"its pattern is longer than {LONGEST_PATTERN} characters")
    _left.get().spend()
    try:
        return regex.search(pattern, text, timeout=PATTERN_SECONDS) is not None
    except TimeoutError:
        raise BadSchema(f"matching the pattern {pattern[:60]} takes too long") from None


def _pattern(validator: Any, pattern: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not _found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, Mapping):
        return
    for pattern, part in patterns.items():
        for name, item in value.items():
            if _found(pattern, name):
                yield from validator.descend(item, part, path=name, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, Mapping):
        return
    patterns = schema.get("patternProperties", {})
    others = [name for name in value if name not in schema.get("properties", {})]
    others = [name for name in others if not any(_found(pattern, name) for pattern in patterns)]
    if allowed is False and others:
        yield ValidationError(f"{others[0]!r} is not expected")
    elif allowed is not False:
        for name in others:
            yield from validator.descend(value[name], allowed, path=name)


def _unevaluated_properties(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if "patternProperties" in str(schema):  # the library would match the patterns without a limit
        raise BadSchema("it combines unevaluatedProperties with patternProperties")
    yield from Draft202012Validator.VALIDATORS["unevaluatedProperties"](validator, allowed, value, schema) or ()


def _unique_items(validator: Any, unique: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if unique and isinstance(value, list) and len({_identity(item) for item in value}) < len(value):
        yield ValidationError(f"{value!r} has non-unique elements")


def _identity(value: Any) -> Any:
    """Equal for equal JSON values only: 1 and 1.0 are equal, 1 and true are not."""
    if isinstance(value, Mapping):
        return "object", frozenset((name, _identity(item)) for name, item in value.items())
    if isinstance(value, list):
        return "array", tuple(_identity(item) for item in value)
    return (bool, value) if isinstance(value, bool) else value


def _format(validator: Any, name: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and len(value) > LONGEST_FORMATTED and name in FORMATS.checkers:
        yield ValidationError(f"a {name} has at most {LONGEST_FORMATTED} characters")
        return
    yield from Draft202012Validator.VALIDATORS["format"](validator, name, value, schema) or ()


FORMATS = FormatChecker(set(FormatChecker.checkers) - {"iri", "iri-reference"})  # these take seconds for a long text
FORMATS.checks("regex", raises=(re.error, RecursionError, OverflowError))(lambda text: bool(re.compile(text)))
_OURS: dict[str, Check] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "unevaluatedProperties": _unevaluated_properties,
    "uniqueItems": _unique_items,
    "format": _format,
}
_Limited = validators.extend(
    Draft202012Validator,
    {name: _counted(check) for name, check in {**Draft202012Validator.VALIDATORS, **_OURS}.items()},
)
