"""Reading what programs send: strict JSON, and the few types that JSON has no word for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, NoReturn

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from ninja.parser import Parser
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo, model_validator
from pydantic import WithJsonSchema as Described

from portal.api.problems import Malformed
from portal.core import bounds, durations
from portal.core.errors import Invalid

MAX_DEPTH = 40


class StrictParser(Parser):
    """JSON as RFC 8259 has it, without what would mean different things to different readers.

    Raises Malformed; Invalid for twins, for numbers that are none, and for texts that cannot be stored.
    """

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        try:
            value = json.loads(
                request.body.decode("utf-8"),
                parse_constant=_refuse_number,
                parse_float=_finite,
                object_pairs_hook=_no_duplicates,
            )
        except RecursionError:
            raise Invalid({"body": f"It is nested deeper than {MAX_DEPTH} levels."}) from None
        except ValueError as error:
            raise Malformed(f"The body is not JSON: {error}.", reason="malformed") from error
        if not isinstance(value, dict):
            raise Invalid({"body": "It must be a JSON object."})
        for name, item in value.items():
            _check(name, name, 0)
            _check(name, item, 1)
        return value


def _refuse_number(text: str) -> NoReturn:
    raise Invalid({"body": f"{text[:20]} is not a number that can be stored."})


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if (twin := bounds.first_duplicate(name for name, _ in pairs)) is not None:
        raise Invalid({bounds.shown(twin): "It is given twice."})
    return dict(pairs)


def _check(field: str, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Invalid({field: f"It is nested deeper than {MAX_DEPTH} levels."})
    if isinstance(value, str):
        if not bounds.is_storable(value):
            raise Invalid({bounds.shown(field): "The text holds a character that cannot be stored."})
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _check(field, key, depth + 1)
            _check(field, item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            _check(field, item, depth + 1)


class Body(BaseModel):
    """What a POST carries; a field nobody reads is refused rather than ignored."""

    model_config = ConfigDict(extra="forbid")


class Params(BaseModel):
    """What stands behind the question mark; a mistyped parameter is refused, or it would quietly not filter."""

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any, info: ValidationInfo) -> Any:
        request: HttpRequest | None = (info.context or {}).get("request")
        unknown = sorted(set(request.GET) - set(cls.model_fields)) if request else []
        if unknown:
            known = ", ".join(cls.model_fields)
            raise Invalid({bounds.shown(name): f"There is no such parameter. Possible: {known}." for name in unknown})
        return given


def _duration(given: Any) -> timedelta:
    if isinstance(given, timedelta):
        return given
    if not isinstance(given, str):
        raise ValueError("Write a duration as a text like PT8H or 8h.")
    return durations.parse(given)


def _moment(given: Any) -> datetime:
    found = given if isinstance(given, datetime) else None
    if isinstance(given, str):
        try:
            found = parse_datetime(given)
        except ValueError:  # well formed, but there is no such day
            found = None
    if found is None or found.tzinfo is None:
        raise ValueError("Write a time in RFC 3339 with its zone, for example 2026-11-21T09:00:00Z.")
    return bounds.moment(found)


def rfc3339(moment: datetime) -> str:
    """UTC with a Z; with microseconds where it has some, so that it is the same moment when it comes back."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(durations.iso, return_type=str),
    Described(
        {"type": "string", "description": "ISO 8601; 8h, 3d and the like are understood too", "examples": ["PT8H"]}
    ),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(rfc3339, return_type=str),
    Described({"type": "string", "format": "date-time", "examples": ["2026-11-21T09:00:00Z"]}),
]
