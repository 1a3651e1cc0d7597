"""What Airflow 3 checks of a body: every fault at once, in a 422 that repeats what it was given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.fake_airflow.replies import Refusal, Reply, faulty
from tests.fake_airflow.routing import Call

KINDS: Mapping[str, tuple[type, str]] = {
    "string": (str, "valid string"),
    "dict": (dict, "valid dictionary"),
    "list": (list, "valid list"),
    "int": (int, "valid integer"),
}


@dataclass(frozen=True)
class Field:
    """One name of a body. nested: of each item of a list, the names it must have: texts (None), or further names."""

    kind: str = "string"
    required: bool = False
    null: bool = False
    shortest: int = 0
    longest: int | None = None
    choices: tuple[str, ...] = ()
    nested: Mapping[str, Any] | None = None


def refuse(faults: list[dict[str, Any]]) -> Refusal:
    return Refusal(Reply(422, {"detail": faults}))


def check(call: Call, fields: Mapping[str, Field], *, strict: bool = True) -> dict[str, Any]:
    """The body, or a 422. strict: other names are a fault."""
    body = call.body
    if body is None:
        raise refuse([faulty("missing", ("body",), "Field required", None)])
    if not isinstance(body, dict):
        raise refuse([faulty("model_attributes_type", ("body",), "Input should be a valid dictionary or object", body)])
    faults = []
    for name, field in fields.items():
        if name in body:
            faults += _faults(body[name], field, ("body", name))
        elif field.required:
            faults.append(faulty("missing", ("body", name), "Field required", body))
    faults += [
        faulty("extra_forbidden", ("body", name), "Extra inputs are not permitted", body[name])
        for name in body
        if strict and name not in fields
    ]
    if faults:
        raise refuse(faults)
    return body


def _faults(value: Any, field: Field, at: tuple[str | int, ...]) -> list[dict[str, Any]]:
    if value is None and field.null:
        return []
    if field.kind == "any":
        return []
    if field.kind == "bool":
        return _bool(value, at)
    if field.kind in ("moment", "date"):
        return _moment(value, at, zone=field.kind == "moment")
    if field.choices:
        return _choice(value, field.choices, at)
    python, name = KINDS[field.kind]
    if not isinstance(value, python):
        return [faulty(f"{field.kind}_type", at, f"Input should be a {name}", value)]
    if isinstance(value, str) and len(value) < field.shortest:
        few = f"String should have at least {field.shortest} character"
        return [faulty("string_too_short", at, few, value, ctx={"min_length": field.shortest})]
    if isinstance(value, str) and field.longest and len(value) > field.longest:
        many = f"String should have at most {field.longest} characters"
        return [faulty("string_too_long", at, many, value, ctx={"max_length": field.longest})]
    if isinstance(value, list) and len(value) < field.shortest:
        few = f"List should have at least {field.shortest} item after validation, not {len(value)}"
        size = {"field_type": "List", "min_length": field.shortest, "actual_length": len(value)}
        return [faulty("too_short", at, few, value, ctx=size)]
    if field.nested is None or not isinstance(value, list):
        return []
    return [fault for place, item in enumerate(value) for fault in _nested(item, field.nested, (*at, place))]


def _nested(item: Any, names: Mapping[str, Any], at: tuple[str | int, ...]) -> list[dict[str, Any]]:
    if not isinstance(item, dict):
        return [
            faulty(
                "model_attributes_type", at, "Input should be a valid dictionary or object to extract fields from", item
            )
        ]
    faults = []
    for name, inner in names.items():
        if name not in item:
            faults.append(faulty("missing", (*at, name), "Field required", item))
        elif inner is not None:
            faults += _nested(item[name], inner, (*at, name))
        elif not isinstance(item[name], str):
            faults.append(faulty("string_type", (*at, name), "Input should be a valid string", item[name]))
    return faults


def _bool(value: Any, at: tuple[str | int, ...]) -> list[dict[str, Any]]:
    if isinstance(value, bool) or str(value).lower() in ("true", "false", "1", "0"):
        return []
    words = "Input should be a valid boolean, unable to interpret input"
    return [faulty("bool_parsing", at, words, value)]


def truth(value: Any) -> bool:
    """A text counts as well."""
    return str(value).lower() in ("true", "1")


def _moment(value: Any, at: tuple[str | int, ...], *, zone: bool) -> list[dict[str, Any]]:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        error = "invalid character in year" if len(str(value)) >= len("2026-01-01") else "input is too short"
        words = f"Input should be a valid datetime or date, {error}"
        return [faulty("datetime_from_date_parsing", at, words, value, ctx={"error": error})]
    if zone and moment.tzinfo is None:
        return [faulty("timezone_aware", at, "Input should have timezone info", value)]
    return []


def _choice(value: Any, choices: tuple[str, ...], at: tuple[str | int, ...]) -> list[dict[str, Any]]:
    if value in choices:
        return []
    *first, last = (f"'{choice}'" for choice in choices)
    named = f"{', '.join(first)} or {last}" if first else last
    return [faulty("enum", at, f"Input should be {named}", value, ctx={"expected": named})]
