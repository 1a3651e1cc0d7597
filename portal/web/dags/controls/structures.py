"""Controls of JSON values: objects, lists of objects, and parameters of several types."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import TYPES, in_words, types
from portal.web.dags.controls.base import NOTHING, Control, are_scalars, area, empty, from_json

IN_A_LINE = 12  # entries of a list that are written in one line
AS_JSON = ("array", "object")


def structure(one: Declared) -> Control:
    field = forms.CharField(strip=False, widget=area(6, mono=True))

    def read(text: str) -> Any:
        if not text.strip():
            return NOTHING if one.hidden else empty(one)
        return from_json(text)

    def write(value: Any) -> str:
        is_short = isinstance(value, list) and are_scalars(value) and len(value) <= IN_A_LINE
        return "" if value is None else json.dumps(value, indent=None if is_short else 2, ensure_ascii=False)

    if one.hidden:
        hint = "Holds secrets, which are not shown. If it is empty, the DAG's default applies."
    else:
        kind = "list" if "array" in types(one.schema) or isinstance(one.default, list) else "object"
        words = in_words({**one.schema, "type": "array"}) if kind == "list" else kind
        hint = f"A JSON {words}."
    return Control(field, write, read, hint=hint)


def of_several_types(one: Declared, kinds: list[str]) -> Control:
    """A text field: JSON if its type is allowed, else a text if that is allowed.

    A text that would be read as another value is written in double quotes.
    """
    field = forms.CharField(strip=False, widget=area(3, mono=True))

    def read(text: str) -> Any:
        if not text.strip():
            return empty(one)
        try:
            value = from_json(text)
        except ValueError:
            value = NOTHING
        if value is not NOTHING and _is_one_of(value, kinds):
            return value
        if "string" in kinds:
            return text
        raise ValueError(f"Enter {' or '.join(TYPES.get(kind, kind) for kind in kinds)}, as JSON.")

    def write(value: Any) -> str:
        is_plain = isinstance(value, str) and value.strip() and "string" in kinds and read(value) == value
        return value if is_plain else "" if value is None else json.dumps(value, ensure_ascii=False)

    return Control(field, write, read, hint=_several_in_words(kinds))


def _several_in_words(kinds: list[str]) -> str:
    """`Whole number or text. In double quotes, it is always a text.`"""
    named = " or ".join(f"{TYPES[kind]} as JSON" if kind in AS_JSON else TYPES.get(kind, kind) for kind in kinds)
    quoted = " In double quotes, it is always a text." if "string" in kinds else ""
    return f"{named[:1].upper()}{named[1:]}.{quoted}"


def _is_one_of(value: Any, kinds: list[str]) -> bool:
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    name = names.get(type(value), "null")
    return name in kinds or (name == "integer" and "number" in kinds)
