"""The parameters of a run as people read them: with the DAG's titles, and marked where they are not the default."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.dags.models import DagState, Run

LONGEST = 200  # characters of a value; the complete value is in the JSON


@dataclass(frozen=True)
class Value:
    """default: in words; empty if the default is unknown. is_changed: the value is not the default."""

    name: str
    title: str
    shown: str
    default: str
    is_changed: bool


def of_run(run: Run, state: DagState | None) -> list[Value]:
    """All parameters that the run was started with, and the defaults of the others, in the order of the DAG."""
    known: Mapping[str, Any] = (state.params if state else None) or {}
    names = [*known, *(name for name in run.conf if name not in known)]
    return [
        _value(name, run.conf, known.get(name)) for name in names if name in run.conf or not known[name]["required"]
    ]


def _value(name: str, conf: Mapping[str, Any], param: Mapping[str, Any] | None) -> Value:
    schema: Mapping[str, Any] = (param or {}).get("schema") or {}
    has_default = param is not None and not param["required"] and not param["hidden"]
    default = param["value"] if param is not None and has_default else None
    value = conf.get(name, default)
    return Value(
        name=name,
        title=str(schema.get("title") or name),
        shown="***" if name not in conf and param is not None and param["hidden"] else _words(value, schema),
        default=_words(default, schema) if has_default else "",
        is_changed=name in conf and (not has_default or value != default),
    )


def _words(value: Any, schema: Mapping[str, Any]) -> str:
    labels = schema.get("values_display")
    if isinstance(labels, Mapping) and str(value) in labels:
        return str(labels[str(value)])
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None:
        return "empty"
    if isinstance(value, str):
        text = value or "empty"
    elif isinstance(value, list) and all(isinstance(item, str | int | float) for item in value):
        text = ", ".join(map(str, value)) or "none"
    else:
        text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
