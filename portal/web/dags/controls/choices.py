"""Controls with options: radio buttons, lists, check boxes; and lists with one entry per line."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from django import forms

from portal.dags.parameters.declared import Declared, same
from portal.dags.parameters.schema_words import in_words, label, shown
from portal.web.dags.controls.base import Control, are_scalars, area, empty, from_json, is_nullable
from portal.web.dags.controls.structures import structure

FEW = 5  # choices that are shown as radio buttons; more of them as a list
MOST_BOXES = 30  # check boxes; more entries are entered one per line
YES = ("true", "1", "yes", "on")  # in a link


def choice(one: Declared, values: list[Any]) -> Control:
    nullable = is_nullable(one)
    options = [(json.dumps(value), label(one.schema, value)) for value in values if value is not None]
    if nullable:
        options.append(("null", label(one.schema, None) if None in values else "none"))
    elif not one.has_default:
        options.insert(0, ("", "choose one"))
    widget = forms.RadioSelect() if len(options) <= FEW and options[0][0] else forms.Select()
    field = forms.CharField(widget=widget)
    field.widget.choices = options
    known = {text for text, _ in options}
    return Control(
        field,
        lambda value: next((json.dumps(other) for other in values if same(value, other)), json.dumps(value)),
        lambda text: from_json(text) if text else empty(one),
        lambda texts: _option(texts[-1], known),
        hint="",
    )


def _option(text: str, known: Collection[str]) -> str:
    """The option for a text in a link: its JSON, or a text without quotes."""
    return text if text in known else json.dumps(text)


def switch(one: Declared) -> Control:
    if not is_nullable(one):
        return Control(forms.BooleanField(), bool, bool, lambda texts: texts[-1].lower() in YES, hint="")
    return choice(one, [True, False, None])


def several_entries(one: Declared) -> Control:
    items = one.schema.get("items")
    items = items if isinstance(items, Mapping) else {}
    options = next(
        (found for found in (one.schema.get("examples"), one.schema.get("enum"), items.get("enum")) if _is_pick(found)),
        None,
    )
    default = one.default if isinstance(one.default, list) else []
    if options is not None and are_scalars(default) and len({shown(value) for value in default}) == len(default):
        return _several(one, options, default)
    lines = all(isinstance(value, str) and "\n" not in value for value in default)
    return _lines(one) if lines and items.get("type") in (None, "string") else structure(one)


def _is_pick(options: Any) -> bool:
    return isinstance(options, list | tuple) and 0 < len(options) <= MOST_BOXES and are_scalars(options)


def _several(one: Declared, options: Any, default: list[Any]) -> Control:
    """Check boxes. A default that is no option becomes one, because examples are only suggestions."""
    known = [value for value in options if value is not None]
    known += [value for value in default if value not in known]
    field = forms.MultipleChoiceField(
        choices=[(json.dumps(value), label(one.schema, value)) for value in known], widget=forms.CheckboxSelectMultiple
    )
    empty: list[Any] | None = None if is_nullable(one) else []

    def read(texts: list[str]) -> Any:
        values = [from_json(text) for text in texts]
        if one.has_default and isinstance(one.default, list) and sorted(texts) == sorted(map(json.dumps, default)):
            return one.default  # in the DAG's order
        return values or empty

    texts_of = {json.dumps(value) for value in known}
    return Control(
        field,
        lambda value: [json.dumps(item) for item in value or []],
        read,
        lambda texts: [_option(text, texts_of) for text in texts if text],
        hint="",
    )


def _lines(one: Declared) -> Control:
    field = forms.CharField(strip=False, widget=area(5))

    def read(text: str) -> Any:
        found = [line for line in text.split("\n") if line]
        return found or (None if is_nullable(one) else [])

    words = in_words({**one.schema, "type": "array"})
    hint = "One entry per line." if words in ("list", "list of texts") else f"A {words}; one entry per line."
    return Control(field, lambda value: "\n".join(value or []), read, "\n".join, hint)
