"""A DAG's parameters as Airflow has them now, their schemas in words, and the defaults to start a run from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from portal.catalogue.models import Dag
from portal.dags import live
from portal.secrecy import HIDDEN
from portal.secret_schema import Place, mask_default, mask_schema, places

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
MANY = 12  # values named in a sentence


@dataclass(frozen=True)
class ParamRow:
    name: str
    title: str
    words: str  # what it takes
    description: str
    default: str  # as JSON, what is secret in it hidden; empty where there is none
    required: bool
    secret: bool  # the whole default is hidden
    partly: bool  # a part of it is
    locked: bool


@dataclass(frozen=True)
class Live:
    """What Airflow answered. `problem` says why there is nothing, in words."""

    problem: str = ""
    rows: list[ParamRow] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)  # without those that hide something
    schedule: str = ""
    places: list[Place] = field(default_factory=list)  # where it takes secrets


def ask(dag: Dag) -> Live:
    """Ask Airflow for the DAG's parameters; never raises for an Airflow that does not answer."""
    try:
        found = live.details(dag)
    except live.Unavailable as error:
        return Live(problem=str(error))
    if found is None:
        return Live(problem=f"Airflow on {dag.deployment.name} has no DAG called {dag.dag_id}.")
    rows, defaults = [], {}
    for name, param in found.params.items():
        row = _row(name, param.value, param.schema, locked=name in dag.locked)
        rows.append(row)
        if not row.partly:
            defaults[name] = param.value
    takes = [place for name, param in found.params.items() for place in places(name, param.value, param.schema)]
    return Live(rows=rows, defaults=defaults, schedule=found.schedule, places=takes)


def _row(name: str, value: Any, schema: Mapping[str, Any], *, locked: bool) -> ParamRow:
    required = value is None and bool(schema.get("type")) and "null" not in _types(schema)
    shown = mask_default(name, value, schema)
    return ParamRow(
        name=name,
        title=_text(schema.get("title")),
        words=in_words(mask_schema(name, schema)),
        description=_text(schema.get("description") or schema.get("description_md")),
        default="" if required or shown == HIDDEN else json.dumps(shown, ensure_ascii=False),
        required=required,
        secret=shown == HIDDEN,
        partly=shown != value,
        locked=locked,
    )


def in_words(schema: Mapping[str, Any]) -> str:
    """What a parameter takes, as a phrase: “one of KR, APAC, EU”, “whole number from 1 to 10, or empty”."""
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
        said.append(f"of the form {_text(pattern)}")
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
