"""What both versions of Airflow judge by the same rules: names of runs, parameters, pairs of action and resource."""

from __future__ import annotations

import pprint
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from airflow_bridge.types import Permission
from tests.fake_airflow.permissions import ACTIONS
from tests.fake_airflow.replies import Refusal
from tests.fake_airflow.rows import FakeDag
from tests.fake_airflow.state import State

PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
RUN_ID = "^[A-Za-z0-9_.~:+-]+$"
MADE_UP = r"^(?:manual|scheduled|asset_triggered)__(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\+00:00)$"


def reserved(run_id: str, kinds: Iterable[str]) -> str:
    """In words, where an id belongs to another kind of run."""
    kind = next((kind for kind in kinds if run_id.startswith(f"{kind}__")), "")
    return f"A manual DAG run cannot use ID '{run_id}' since it is reserved for {kind} runs" if kind else ""


def well_formed(run_id: str) -> bool:
    return re.fullmatch(RUN_ID, run_id) is not None


def wrong_param(
    dag: FakeDag, conf: Mapping[str, Any], names: Iterable[str], *, nothing: str, jsonb: bool = False
) -> str:
    """The first fault among the parameters, as jsonschema tells it; as far as the demo uses it: type, enum, bounds.

    nothing: what is said where a value must be given and is not. jsonb: the schemas are kept in such a column, where
    PostgreSQL orders the keys by their length; jsonschema goes by their order.
    """
    for name in names:
        param = dag.params[name]
        schema, value = param["schema"], conf.get(name, param["value"])
        if jsonb:
            schema = dict(sorted(schema.items(), key=lambda item: (len(item[0]), item[0])))
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if name not in conf and value is None and kinds and "null" not in kinds:
            return f"Invalid input for param {name}: {nothing}"
        faults = {
            "type": not any(_is(value, kind) for kind in kinds) and f"is not of type {', '.join(map(repr, kinds))}",
            "enum": value not in schema.get("enum", [value]) and f"is not one of {schema['enum']!r}",
            "minimum": _is(value, "number")
            and value < schema.get("minimum", value)
            and f"is less than the minimum of {schema['minimum']}",
            "maximum": _is(value, "number")
            and value > schema.get("maximum", value)
            and f"is greater than the maximum of {schema['maximum']}",
        }
        if rule := next((rule for rule in schema if faults.get(rule)), ""):
            shown = textwrap.indent(pprint.pformat(schema, width=72, sort_dicts=False), "    ")
            where = f"Failed validating {rule!r} in schema:\n{shown}"
            return f"Invalid input for param {name}: {value!r} {faults[rule]}\n\n{where}\n\nOn instance:\n    {value!r}"
    return ""


def _is(value: Any, kind: str) -> bool:
    # in JSON true is no number, in Python it is
    return isinstance(value, PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def known_pairs(state: State, wanted: Iterable[Any], refuse: Callable[[int, str], Refusal]) -> set[Permission]:
    """The permissions in a role's body; an unknown action or resource is refused with a 400."""
    pairs = [(item["action"]["name"], item["resource"]["name"]) for item in wanted]
    for action, resource in pairs:
        if action not in ACTIONS:
            raise refuse(400, f"The specified action: '{action}' was not found")
        if not state.resource_exists(resource):
            raise refuse(400, f"The specified resource: '{resource}' was not found")
    return set(pairs)
