"""Parsing of bodies and query parameters: strict JSON, durations and times."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from ninja.parser import Parser
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, ValidationInfo, model_validator
from pydantic import WithJsonSchema as Described

from portal.api.problems import Malformed
from portal.core import bounds, durations, strict_json
from portal.core.errors import Invalid

MAX_DEPTH = 40
TOO_DEEP = f"It is nested deeper than {MAX_DEPTH} levels."


class StrictParser(Parser):
    """Reads JSON objects of RFC 8259 with `portal.core.strict_json`.

    Raises Malformed; Invalid for a name given twice, NaN, too large numbers and texts that cannot be stored.
    """

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        try:
            value = strict_json.read(request.body.decode("utf-8"))
        except strict_json.GivenTwice as twice:
            raise Invalid({bounds.shown(twice.name): "It is given twice."}) from None
        except strict_json.NotFinite as number:
            raise Invalid({"body": f"{str(number)[:20]} is not a number that can be stored."}) from None
        except strict_json.TooDeep:
            raise Invalid({"body": TOO_DEEP}) from None
        except ValueError as error:
            raise Malformed(f"The body is not JSON: {error}.", reason="malformed") from error
        if not isinstance(value, dict):
            raise Invalid({"body": "It must be a JSON object."})
        for name, item in value.items():
            _check(name, item)
        return value


def _check(field: str, value: Any) -> None:
    """Raises Invalid for a text that cannot be stored, in the field's name or anywhere in its value."""
    try:
        leaves = [field, *strict_json.leaves(value, deepest=MAX_DEPTH)]
    except strict_json.TooDeep:
        raise Invalid({bounds.shown(field): TOO_DEEP}) from None
    if not all(bounds.is_storable(leaf) for leaf in leaves if isinstance(leaf, str)):
        raise Invalid({bounds.shown(field): "The text holds a character that cannot be stored."})


class Body(BaseModel):
    """The body of a POST. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class Params(BaseModel):
    """The query parameters. Unknown ones are refused: a mistyped filter would be ignored without notice."""

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
        except ValueError:  # the format is right, but the date does not exist
            found = None
    if found is None or found.tzinfo is None:
        raise ValueError("Write a time in RFC 3339 with its zone, for example 2026-11-21T09:00:00Z.")
    return bounds.moment(found)


def rfc3339(moment: datetime) -> str:
    """UTC with Z. Microseconds are kept, so that a client can send back exactly the same time."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(durations.iso, return_type=str),
    Described(
        {"type": "string", "description": "ISO 8601; forms like 8h and 3d are accepted too", "examples": ["PT8H"]}
    ),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(rfc3339, return_type=str),
    Described({"type": "string", "format": "date-time", "examples": ["2026-11-21T09:00:00Z"]}),
]
