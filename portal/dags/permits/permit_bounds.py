"""The bounds of a permit: by parameter, the values that its runs may have.

    {"region": {"enum": ["EU", "KR"]}, "limit": {"minimum": 1, "maximum": 100}, "date": {"days_back": 7}}

`days_back`: a date that is neither in the future nor more than so many days back, in UTC. A parameter without bounds
may have any value that the DAG accepts. If a bounded parameter is left out, the DAG's default must be within the
bounds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from portal.catalogue.models import Dag
from portal.core import clock
from portal.core.errors import Invalid
from portal.dags.models import DagState
from portal.dags.parameters.conf import checked
from portal.dags.parameters.secrets import mask_for

MOST_PARAMETERS, MOST_VALUES, MOST_DAYS = 50, 100, 3650
KEYWORDS = ("enum", "minimum", "maximum", "days_back")


def checked_bounds(bounds: Any, dag: Dag) -> dict[str, dict[str, Any]]:
    """`bounds`, if a permit for this DAG can have them. Raises Invalid (`bounds`) with the parameter."""
    state: DagState | None = getattr(dag, "state", None)
    if state is None or state.params is None:
        raise Invalid({"bounds": f"Gatehouse has not read the parameters of {dag.dag_id} yet. Try again in a minute."})
    if not isinstance(bounds, Mapping):
        raise Invalid({"bounds": 'The bounds must be a JSON object, like {"region": {"enum": ["EU"]}}.'})
    if len(bounds) > MOST_PARAMETERS:
        raise Invalid({"bounds": f"At most {MOST_PARAMETERS} parameters can have bounds."})
    try:
        checked(bounds)
    except Invalid as error:
        raise Invalid({"bounds": error.detail}) from None
    for name, keywords in bounds.items():
        if why := _problem(name, keywords, dag, state):
            raise Invalid({"bounds": f"“{name[:80]}”: {why}"})
    return {name: dict(keywords) for name, keywords in bounds.items()}


def _problem(name: str, keywords: Any, dag: Dag, state: DagState) -> str:
    if name in dag.locked or name == dag.requester_param:
        return "the catalogue sets this parameter. Leave it out."
    if name not in (state.params or {}) and not dag.undeclared:
        return "the DAG has no such parameter."
    if mask_for(dag, {name: "x"}) != {name: "x"}:
        return "this parameter is secret, so it cannot have bounds."
    if not isinstance(keywords, Mapping) or not keywords or set(keywords) - set(KEYWORDS):
        return f"write one or more of {', '.join(KEYWORDS)}."
    for keyword, value in keywords.items():
        if why := CHECKS[keyword](value):
            return f"{keyword} {why}."
    if "minimum" in keywords and "maximum" in keywords and keywords["minimum"] > keywords["maximum"]:
        return "the minimum is larger than the maximum."
    return ""


def _values(value: Any) -> str:
    return "" if isinstance(value, list) and 0 < len(value) <= MOST_VALUES else f"must list 1 to {MOST_VALUES} values"


def _number(value: Any) -> str:
    return "" if _is_number(value) else "must be a number"


def _days(value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    return "" if whole and 0 <= value <= MOST_DAYS else f"must be a whole number from 0 to {MOST_DAYS}"


CHECKS: Mapping[str, Callable[[Any], str]] = {
    "enum": _values,
    "minimum": _number,
    "maximum": _number,
    "days_back": _days,
}


def broken(bounds: Mapping[str, Mapping[str, Any]], conf: Mapping[str, Any], dag: Dag) -> str:
    """In words, the first bound that these parameters break; empty if they are within all bounds."""
    values = with_defaults(bounds, conf, dag)
    for name, keywords in bounds.items():
        if name not in values:
            return f"“{name}” must be {said(keywords)}, but it was left out."
        if not _is_within(values[name], keywords):
            return f"“{name}” must be {said(keywords)}, not {_json(values[name])}."
    return ""


def with_defaults(bounds: Mapping[str, Any], conf: Mapping[str, Any], dag: Dag) -> dict[str, Any]:
    """`conf` with the DAG's present defaults for bounded parameters that it leaves out, except secret ones.

    A run is requested with these values, because the DAG's defaults may change before the start.
    """
    state: DagState | None = getattr(dag, "state", None)
    defaults = (state.params if state else None) or {}
    known = {name: param for name, param in defaults.items() if not (param["hidden"] or param["required"])}
    return {**{name: param["value"] for name, param in known.items() if name in bounds}, **conf}


def _is_within(value: Any, keywords: Mapping[str, Any]) -> bool:
    if "enum" in keywords and not any(_json(value) == _json(one) for one in keywords["enum"]):
        return False
    if "minimum" in keywords and not (_is_number(value) and value >= keywords["minimum"]):
        return False
    if "maximum" in keywords and not (_is_number(value) and value <= keywords["maximum"]):
        return False
    if "days_back" in keywords:
        day = _day(value)
        return day is not None and 0 <= (clock.now().astimezone(UTC).date() - day).days <= keywords["days_back"]
    return True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _day(value: Any) -> date | None:
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 10:
            return date.fromisoformat(value)
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(UTC).date() if moment.tzinfo else moment.date()


def said(keywords: Mapping[str, Any]) -> str:
    """`"EU" or "KR"`, `from 1 to 100`, `a date at most 7 days back`."""
    parts = []
    if "enum" in keywords:
        parts.append(" or ".join(map(_json, keywords["enum"])))
    if "minimum" in keywords and "maximum" in keywords:
        parts.append(f"from {_json(keywords['minimum'])} to {_json(keywords['maximum'])}")
    elif "minimum" in keywords:
        parts.append(f"at least {_json(keywords['minimum'])}")
    elif "maximum" in keywords:
        parts.append(f"at most {_json(keywords['maximum'])}")
    if "days_back" in keywords:
        parts.append(f"a date at most {keywords['days_back']} days back")
    return " and ".join(parts)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
