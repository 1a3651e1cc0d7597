"""The parameters of a run as people read them: with the DAG's titles, and marked where they are not the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.core.secrecy import marks
from portal.dags.models import DagState, Run
from portal.dags.parameters import params
from portal.dags.parameters.schema_words import value_in_words


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
    known: Mapping[str, Any] = state.params_in_order if state else {}
    names = [*known, *(name for name in run.conf if name not in known)]
    return [
        _value(name, run.conf, known.get(name)) for name in names if name in run.conf or not known[name]["required"]
    ]


def _value(name: str, conf: Mapping[str, Any], param: Mapping[str, Any] | None) -> Value:
    schema: Mapping[str, Any] = (param or {}).get("schema") or {}
    has_default = param is not None and not param["required"] and not param["hidden"]
    default = param["value"] if param is not None and has_default else None
    value = conf.get(name, default)
    is_hidden = any(True for _ in marks({name: value}))  # then its default may be secret too
    return Value(
        name=name,
        title=params.title(name, param),
        shown="***" if name not in conf and param is not None and param["hidden"] else value_in_words(schema, value),
        default=value_in_words(schema, default) if has_default and not is_hidden else "",
        is_changed=name in conf and (not has_default or value != default),
    )
