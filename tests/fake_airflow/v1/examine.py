"""What Airflow 2 checks of a request before it looks who asks: parameters and body, against its OpenAPI file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.fake_airflow.replies import Refusal, problem
from tests.fake_airflow.routing import Route
from tests.fake_airflow.rows import Request

TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def examine_query(route: Route, request: Request) -> None:
    unknown = sorted(request.query.keys() - route.query.keys())
    if unknown:
        words = f"Extra query parameter(s) {', '.join(unknown)} not in spec"
        refused = problem(400, words).reply
        raise Refusal(replace(refused, body={**refused.body, "title": None}))
    for name, value in request.query.items():
        kind = route.query[name]
        if kind is int and not value.removeprefix("-").isdigit():
            raise problem(400, f"Wrong type, expected 'integer' for query parameter '{name}'")
        if kind is bool and value.lower() not in ("true", "false"):
            raise problem(400, f"Wrong type, expected 'boolean' for query parameter '{name}'")


def examine_body(route: Route, request: Request) -> None:
    if route.body is None:
        return
    if request.body is None:
        raise problem(400, "Request body must not be empty")
    _examine(request.body, {"type": "object", "properties": route.body}, "")


def _examine(value: Any, schema: Mapping[str, Any], at: str) -> None:
    """As much of JSON Schema as the routes use. Raises the 400 for the first fault."""
    where = f" - '{at}'" if at else ""
    if schema.get("readOnly"):
        raise problem(400, f"Property is read-only{where}")
    if value is None and schema.get("nullable"):
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        raise problem(400, f"{value!r} is not of type '{kind}'{where}")
    if "enum" in schema and value not in schema["enum"]:
        raise problem(400, f"{value!r} is not one of {schema['enum']!r}{where}")
    if schema.get("format") == "date-time" and not _is_moment(value):
        raise problem(400, f"{value!r} is not a 'date-time'{where}")
    if len(value) < schema.get("minLength", 0) if isinstance(value, str) else False:
        raise problem(400, f"{value!r} should be non-empty{where}")
    if isinstance(value, dict):
        for name, sub in schema.get("properties", {}).items():
            if name in value:
                _examine(value[name], sub, f"{at}.{name}".lstrip("."))
    if isinstance(value, list) and "items" in schema:
        for place, item in enumerate(value):
            _examine(item, schema["items"], f"{at}.{place}")


def _is_moment(value: str) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def load(
    body: Mapping[str, Any], known: Mapping[str, int | None], *, required: tuple[str, ...] = (), title: str = ""
) -> None:
    """The second look, by name -> longest text: what is missing, what is unknown, what is too long, all at once."""
    faults = {name: ["Missing data for required field."] for name in required if name not in body}
    for name, value in body.items():
        if name not in known:
            faults[name] = ["Unknown field."]
        elif (longest := known[name]) and isinstance(value, str) and len(value) > longest:
            faults[name] = [f"Longer than maximum length {longest}."]
    if faults:
        raise problem(400, str(faults), title=title)
