"""Parts of all controls of a run's form: how a value is written, read and left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from portal.core.errors import Invalid
from portal.dags.parameters import conf
from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import types

SCALARS = (str, int, float, bool, type(None))
NOTHING = object()
"""The parameter is left out: the DAG's default applies."""


class ParamBound(BoundField):
    """A field of a parameter. Its HTML id has no characters of the parameter's name, which may hold any."""

    @property
    def auto_id(self) -> str:
        return str(self.field.html_id)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Control:
    """How one parameter is entered.

    write: a value as the text of the field; a list of texts for check boxes, a bool for a switch. read: the value for
    it; raises ValueError with the reason. prefill: the text of the field for a text in a link. hint: what to enter;
    None: the schema in words. tidy: the text as `write` writes it, because browsers leave out zero seconds.
    """

    field: forms.Field
    write: Callable[[Any], Any]
    read: Callable[[Any], Any]
    prefill: Callable[[list[str]], Any] = lambda texts: texts[-1]
    hint: str | None = None
    tidy: Callable[[str], str] = str


def is_fixed(one: Declared) -> bool:
    """Whether the parameter is shown without a control: Gatehouse or the DAG's schema sets its value."""
    return one.is_fixed or "const" in one.schema


def is_nullable(one: Declared) -> bool:
    kinds = types(one.schema)
    enum = one.schema.get("enum")
    return "null" in kinds or (isinstance(enum, list) and None in enum) or (not kinds and one.default is None)


def are_scalars(values: Any) -> bool:
    return all(isinstance(value, SCALARS) for value in values)


def empty(one: Declared) -> Any:
    """The value of an empty field: null, or nothing where a value is needed."""
    return None if is_nullable(one) or one.has_default else NOTHING


def empty_text(one: Declared) -> Any:
    if is_nullable(one):
        return None
    return "" if one.has_default else NOTHING


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def one_line_break(text: Any) -> Any:
    """A text with the line breaks of all systems as one character, because browsers send two."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if isinstance(text, str) else text


def area(rows: int, *, mono: bool = False) -> forms.Textarea:
    attrs = {"rows": rows, "spellcheck": "false", "autocapitalize": "off", "autocomplete": "off"}
    return forms.Textarea(attrs=attrs | ({"class": "mono"} if mono else {}))


def from_json(text: str) -> Any:
    """The JSON value of a text. Raises ValueError in words, with the place of the mistake."""
    try:
        return conf.parse_value(text)
    except Invalid as error:
        raise ValueError(error.detail) from None
