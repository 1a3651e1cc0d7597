"""The stored parameters of a DAG: their schemas in words, and the defaults for the form of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal.core.secrecy import HIDDEN
from portal.core.secret_schema import Place
from portal.dags.parameters import params
from portal.dags.parameters.params import Kept
from portal.dags.parameters.schema_words import in_words
from portal.dags.queries import DagOption
from portal.web.dags.descriptions import description

LONGEST = 400  # characters of a title or a description in the table


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
        description=description(schema)[:LONGEST],
        default="" if param["required"] or is_hidden else json.dumps(param["value"], ensure_ascii=False),
        required=param["required"],
        secret=is_hidden,
        partly=param["hidden"],
        locked=locked,
    )


def _text(value: Any) -> str:
    return str(value)[:LONGEST] if value else ""
