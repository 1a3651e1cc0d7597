"""Controls of JSON values: objects, lists of objects, and parameters of several types."""

from __future__ import annotations

import json
from typing import Any

from django import forms

from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import TYPES, types
from portal.web.dags.controls.base import NOTHING, Control, area, as_text, empty, from_json


def structure(one: Declared) -> Control:
    field = forms.CharField(strip=False, widget=area(6, mono=True))

    def read(text: str) -> Any:
        if not text.strip():
            return NOTHING if one.hidden else empty(one)
        return from_json(text)

    def write(value: Any) -> str:
        return "" if value is None else json.dumps(value, indent=2, ensure_ascii=False)

    if one.hidden:
        hint = "Holds secrets, which are not shown. If it is empty, the DAG's default applies."
    else:
        kind = "list" if "array" in types(one.schema) or isinstance(one.default, list) else "object"
        hint = f"A JSON {kind}."
    return Control(field, write, read, hint=hint)


def of_several_types(one: Declared, kinds: list[str]) -> Control:
    """A text field: JSON if its type is allowed, else a text if that is allowed."""
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

    named = " or ".join(TYPES.get(kind, kind) for kind in kinds)
    return Control(field, as_text, read, hint=f"{named[:1].upper()}{named[1:]}, as JSON.")


def _is_one_of(value: Any, kinds: list[str]) -> bool:
    if isinstance(value, float) and value.is_integer() and "integer" in kinds:
        return True
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    name = names.get(type(value), "null")
    return name in kinds or (name == "integer" and "number" in kinds)
