"""The stored parameters of a DAG: their schemas in words, and the defaults for the form of a run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal.core.secrecy import HIDDEN
from portal.core.secret_schema import Place
from portal.dags import params
from portal.dags.params import Kept
from portal.dags.queries import DagOption

TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list",
    "object": "object",
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
MANY = 12  # values that are listed; further ones are only counted


@dataclass(frozen=True)
class ParamRow:
    name: str
    title: str
    words: str  # its schema in words
    description: str
    default: str  # as JSON, with secrets hidden; empty if there is none
    required: bool
    secret: bool  # all of the default is hidden
    partly: bool  # a part of the default is hidden
    locked: bool


@dataclass(frozen=True)
class Params:
    """The stored parameters for the page. problem: in words, why there are none."""

    problem: str = ""
    is_awaited: bool = False  # they will be read soon, so the page loads them again
    rows: list[ParamRow] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)  # without parameters that have none or hide secrets
    as_of: datetime | None = None
    places: list[Place] = field(default_factory=list)  # where secrets are entered


def read(option: DagOption) -> Params:
    """The DAG's parameters as the worker stored them."""
    known = params.known(option.dag, option.state)
    rows, defaults = [], {}
    for name, param in known.params.items():
        rows.append(_row(name, param, locked=name in option.dag.locked))
        if not (param["hidden"] or param["required"]):
            defaults[name] = param["value"]
    return Params(known.problem, known.is_awaited, rows, defaults, known.as_of, known.places)


def _row(name: str, param: Kept, *, locked: bool) -> ParamRow:
    schema, is_hidden = param["schema"], param["value"] == HIDDEN and param["hidden"]
    return ParamRow(
        name=name,
        title=_text(schema.get("title")),
        words=in_words(schema),
        description=_text(schema.get("description") or schema.get("description_md")),
        default="" if param["required"] or is_hidden else json.dumps(param["value"], ensure_ascii=False),
        required=param["required"],
        secret=is_hidden,
        partly=param["hidden"],
        locked=locked,
    )


def in_words(schema: Mapping[str, Any]) -> str:
    """The values that a parameter accepts: “one of KR, APAC, EU”, “whole number from 1 to 10, or null”."""
    if "const" in schema:
        return f"always {json.dumps(schema['const'], ensure_ascii=False)}"
    if isinstance(schema.get("enum"), list):
        words = f"one of {_listed(value for value in schema['enum'] if value is not None)}"
    else:
        words = _typed(schema)
    return f"{words}, or null" if "null" in _types(schema) else words


def _typed(schema: Mapping[str, Any]) -> str:
    kinds = [kind for kind in _types(schema) if kind != "null"]
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
        return f"list of {_listed(items['enum'])}"
    return f"list of {_typed(items)}" if _types(items) else "list"


def _bounds(schema: Mapping[str, Any]) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" from {low}"
    if high is not None:
        return f" up to {high}"
    return ""


def _shape(schema: Mapping[str, Any]) -> str:
    least, most, pattern = schema.get("minLength"), schema.get("maxLength"), schema.get("pattern")
    said = []
    if least is not None and most is not None:
        said.append(f"{least} to {most} characters" if least != most else f"{least} characters")
    elif least is not None:
        said.append(f"at least {least} characters")
    elif most is not None:
        said.append(f"at most {most} characters")
    if pattern:
        said.append(f"matching {_text(pattern)}")
    return ", ".join(said)


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type")
    return [str(one) for one in kind] if isinstance(kind, list) else [str(kind)] if kind else []


def _listed(values: Any) -> str:
    said = [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False) for value in values]
    rest = len(said) - MANY
    return ", ".join(said[:MANY]) + (f" and {rest} more" if rest > 0 else "")


def _text(value: Any) -> str:
    return str(value)[:400] if value else ""
