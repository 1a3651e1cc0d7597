"""The controls of a run's form: for each parameter, how its value is shown, entered and read.

The choice of the control, and the value that is sent, are those of Airflow 3's trigger form for the same parameter
(airflow/ui/src/components/FlexibleForm of 3.3). An empty field is null where the schema allows null.
"""

from __future__ import annotations

from typing import Any

from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import in_words, listed, types
from portal.web.dags.controls.base import Control, ParamBound, are_scalars
from portal.web.dags.controls.choices import choice, several_entries, switch
from portal.web.dags.controls.showing import can_write
from portal.web.dags.controls.structures import of_several_types, structure
from portal.web.dags.controls.texts import number, text
from portal.web.dags.descriptions import description


def control(one: Declared, html_id: str) -> Control:
    """The control for a parameter that is neither fixed nor entered as a secret."""
    found = _choose(one)
    if one.has_default and not one.hidden and not can_write(found, one.default):  # a default of another type
        found = structure(one)
    found.field.label = one.title
    found.field.required = False
    found.field.html_id = html_id  # type: ignore[attr-defined]
    found.field.bound_field_class = ParamBound
    found.field.help_text = _help(one, found.hint)
    if suggestions := getattr(found.field, "suggestions", None):
        found.field.widget.attrs["list"] = f"{html_id}-list"
        found.field.help_text = f"{found.field.help_text} Suggestions: {listed(suggestions)}.".strip()
    return found


def _choose(one: Declared) -> Control:
    schema = one.schema
    kinds = [kind for kind in types(schema) if kind != "null"]
    if isinstance(enum := schema.get("enum"), list) and enum and are_scalars(enum):
        return choice(one, enum)
    if len(kinds) > 1:
        return of_several_types(one, kinds)
    kind = kinds[0] if kinds else _type_of(one.default)
    if one.hidden and kind in ("array", "object"):
        return structure(one)
    return {
        "boolean": switch,
        "array": several_entries,
        "object": structure,
        "integer": number,
        "number": number,
    }.get(kind, text)(one)


def _type_of(value: Any) -> str:
    named = {bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
    return named.get(type(value), "string")


def _help(one: Declared, hint: str | None) -> str:
    """The DAG's description of the parameter, and what it accepts if the control does not show it."""
    described = description(one.schema)
    rule = _rule(one) if hint is None else hint
    is_said = rule in described or rule.rstrip(".").casefold() == one.title.casefold()
    return " ".join(filter(None, [described, "" if is_said else rule]))


def _rule(one: Declared) -> str:
    """The schema in words, without those that the control itself shows."""
    without_null = [kind for kind in types(one.schema) if kind != "null"]
    words = in_words({**one.schema, "type": without_null})
    plain = ("text", "any JSON value", "text of several lines", "true or false")
    if words in plain or one.schema.get("format") in ("date", "time"):
        return ""
    return f"{words[:1].upper()}{words[1:]}."
