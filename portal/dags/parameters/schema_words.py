"""JSON Schemas of parameters in words: the values that a parameter accepts, and why a value is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from jsonschema import ValidationError

TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
    "null": "null",
}
FORMATS = {
    "date": "date, like 2026-11-21",
    "date-time": "date and time, like 2026-11-21T17:00:00+00:00",
    "time": "time, like 17:00:00",
    "duration": "duration, like PT2H",
    "multiline": "text of several lines",
    "email": "e-mail address",
    "uri": "web address",
}
PLURALS = {
    "date and time": "dates and times",
    "e-mail address": "e-mail addresses",
    "web address": "web addresses",
    **{noun: f"{noun}s" for noun in ("text", "whole number", "number", "list", "object", "date", "time", "duration")},
}
MANY = 12  # values that are listed; further ones are only counted
LONGEST_TEXT = 200  # characters of a value on a page; the complete value is in the JSON
LONGEST = 80  # characters of a value in a sentence


def in_words(schema: Mapping[str, Any]) -> str:
    """The values that a parameter accepts: “one of KR, APAC, EU”, “whole number from 1 to 10, or null”."""
    if "const" in schema:
        return f"always {shown(schema['const'])}"
    if isinstance(schema.get("enum"), list):
        words = f"one of {listed(value for value in schema['enum'] if value is not None)}"
    else:
        words = _typed(schema)
    return f"{words}, or null" if "null" in types(schema) else words


def types(schema: Mapping[str, Any]) -> list[str]:
    """The types that a schema names; empty if it names none."""
    kind = schema.get("type")
    return [str(one) for one in kind] if isinstance(kind, list) else [str(kind)] if kind else []


def listed(values: Iterable[Any]) -> str:
    said = [value if isinstance(value, str) else shown(value) for value in values]
    rest = len(said) - MANY
    return ", ".join(said[:MANY]) + (f" and {rest} more" if rest > 0 else "")


def shown(value: Any) -> str:
    """A value as JSON, cut if it is long."""
    said = json.dumps(value, ensure_ascii=False)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"


def label(schema: Mapping[str, Any], value: Any) -> str:
    """A single value as people read it: by the name that the DAG gives it (`values_display`), else as text."""
    names = schema.get("values_display")
    key = value if isinstance(value, str) else json.dumps(value)
    if isinstance(names, Mapping):
        name = names.get(key, names.get("None") if value is None else None)
        if isinstance(name, str):
            return name
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value is None else key or "empty"


def value_in_words(schema: Mapping[str, Any], value: Any) -> str:
    """Any value of a parameter as people read it, cut if it is long."""
    if isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        text = ", ".join(label(schema, item) for item in value) or "none"
    elif isinstance(value, list | Mapping):
        text = json.dumps(value, ensure_ascii=False)
    else:
        text = label(schema, value)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def refusal(error: ValidationError, *, secret: bool = False) -> str:
    """Why a value is refused, in a sentence: what is wrong, and what is allowed.

    secret: the value and the allowed values are not named.
    """
    place = _place(error)
    is_unnamed = secret or error.instance == "" or error.validator in WITHOUT_VALUE
    wrong = "this value" if is_unnamed else shown(error.instance)
    words = ALLOWED.get(str(error.validator), _other)
    allowed = "is not possible." if secret and words in NAMES_VALUES else words(error)
    sentence = f"{wrong} {allowed}"
    return f"In {place}, {sentence}" if place else f"{sentence[:1].upper()}{sentence[1:]}"


def _place(error: ValidationError) -> str:
    """`item 2, “size”`: the part of the value that is refused; empty for the whole value."""
    return ", ".join(
        f"item {step + 1}" if isinstance(step, int) else f"“{str(step)[:LONGEST]}”" for step in error.absolute_path
    )


def _typed(schema: Mapping[str, Any]) -> str:
    kinds = [kind for kind in types(schema) if kind != "null"]
    if kinds == ["string"] and schema.get("format") in FORMATS:
        words = FORMATS[schema["format"]]
    elif kinds == ["array"]:
        words = _list_of(schema.get("items"))
    else:
        words = " or ".join(TYPES.get(kind, kind) for kind in kinds) or "any JSON value"
    return ", ".join(filter(None, [words + _bounds(schema), _shape(schema)]))


def _list_of(items: Any) -> str:
    if not isinstance(items, Mapping):
        return "list"
    if isinstance(items.get("enum"), list):
        return f"list of {listed(items['enum'])}"
    words = _typed(items)
    noun = next((noun for noun in PLURALS if words.startswith(noun)), "") if len(types(items)) == 1 else ""
    return f"list of {PLURALS.get(noun, noun)}{words.removeprefix(noun)}" if types(items) else "list"


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    more, less, step = (schema.get(word) for word in ("exclusiveMinimum", "exclusiveMaximum", "multipleOf"))
    said = [
        f"from {low} to {high}" if low is not None and high is not None else "",
        f"from {low}" if low is not None and high is None else "",
        f"up to {high}" if low is None and high is not None else "",
        f"more than {more}" if more is not None else "",
        f"less than {less}" if less is not None else "",
        f"a multiple of {step}" if step is not None else "",
    ]
    return "".join(f"{',' if number else ''} {words}" for number, words in enumerate(filter(None, said)))


def _shape(schema: Mapping[str, Any]) -> str:
    said = [
        _range(schema.get("minLength"), schema.get("maxLength"), "characters"),
        _range(schema.get("minItems"), schema.get("maxItems"), "entries"),
    ]
    if pattern := schema.get("pattern"):
        said.append(f"matching {str(pattern)[:400]}")
    return ", ".join(filter(None, said))


def _range(least: Any, most: Any, what: str) -> str:
    if least is not None and most is not None:
        return f"{least} to {most} {what}" if least != most else f"{least} {what}"
    if least is not None:
        return f"at least {least} {what}"
    return f"at most {most} {what}" if most is not None else ""


def _type(error: ValidationError) -> str:
    kinds = error.validator_value
    kinds = sorted(kinds if isinstance(kinds, list) else [kinds], key=lambda kind: kind == "null")
    named = [TYPES.get(str(kind), str(kind)) for kind in kinds]
    return f"is not possible: enter {' or '.join(_with_article(name) for name in named)}."


def _with_article(name: str) -> str:
    return name if name in ("text", "true or false", "null") else f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _format(error: ValidationError) -> str:
    name = str(error.validator_value)
    wanted = _with_article(FORMATS.get(name, name))
    return f"is not {wanted}." if error.instance else f"is empty: enter {wanted}."


def _has(one: str, many: str, *, least: bool) -> Callable[[ValidationError], str]:
    def words(error: ValidationError) -> str:
        has, limit = len(cast(Any, error.instance)), error.validator_value
        comparison, verdict = ("at least", "needed") if least else ("at most", "allowed")
        return f"has {has} {one if has == 1 else many}; {comparison} {limit} {'is' if limit == 1 else 'are'} {verdict}."

    return words


def _other(error: ValidationError) -> str:
    return f"is not possible: {error.message[:LONGEST]}."


def _missing(error: ValidationError) -> str:
    needed: Any = error.validator_value
    missing = next((name for name in needed if name not in cast(Any, error.instance)), "")
    return f"needs “{str(missing)[:LONGEST]}”, which is missing."


def _unexpected(error: ValidationError) -> str:
    return f"has a property that is not expected: {error.message.partition(' is ')[0][:LONGEST]}."


def _always(error: ValidationError) -> str:
    return f"is not possible: it is always {shown(error.validator_value)}."


def _one_of(error: ValidationError) -> str:
    return f"is not possible: choose one of {listed(cast(Any, error.validator_value))}."


ALLOWED: dict[str, Callable[[ValidationError], str]] = {
    "additionalProperties": _unexpected,
    "const": _always,
    "enum": _one_of,
    "exclusiveMaximum": lambda error: f"is too large: it must be less than {error.validator_value}.",
    "exclusiveMinimum": lambda error: f"is too small: it must be more than {error.validator_value}.",
    "format": _format,
    "maximum": lambda error: f"is too large: at most {error.validator_value} is allowed.",
    "maxItems": _has("entry", "entries", least=False),
    "maxLength": _has("character", "characters", least=False),
    "minimum": lambda error: f"is too small: at least {error.validator_value} is allowed.",
    "minItems": _has("entry", "entries", least=True),
    "minLength": _has("character", "characters", least=True),
    "multipleOf": lambda error: f"is not possible: it must be a multiple of {error.validator_value}.",
    "pattern": lambda error: f"does not match the pattern {str(error.validator_value)[:200]}.",
    "required": _missing,
    "type": _type,
    "uniqueItems": lambda error: "lists a value twice; each value is allowed once.",
}
NAMES_VALUES = (_always, _one_of, _other, _unexpected)  # words that repeat a given or an allowed value
WITHOUT_VALUE = ("maxItems", "minItems", "required", "additionalProperties", "uniqueItems")
