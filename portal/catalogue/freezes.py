"""Times in gatehouse.toml during which a DAG is frozen: it cannot be run.

A date alone means the whole day in UTC: `from` its beginning, `until` its end. A date-time needs a time zone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from portal.catalogue.spec import Spec, Subject, Title
from portal.core import bounds

HOW = 'write a date like "2026-12-24", or a date-time with its zone like "2026-12-24T18:00:00Z"'


def moment_text(value: Any) -> str:
    """The normalised text of a TOML date, a TOML date-time or a text: `2026-12-24` or `2026-12-24T18:00:00Z`."""
    if isinstance(value, str):
        try:
            value = date.fromisoformat(value) if len(value) <= len("2026-12-24") else datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(f"“{value[:40]}” is not a date; {HOW}.") from None
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"“{value.isoformat()}” has no time zone; {HOW}.")
        return bounds.moment(value).isoformat(timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    raise ValueError(f"this takes a date or date-time; {HOW}.")


def _instant(text: str, *, end: bool) -> datetime:
    if len(text) > len("2026-12-24"):
        return datetime.fromisoformat(text)
    day = date.fromisoformat(text)
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return bounds.moment(midnight + timedelta(days=1) if end and day < date.max else midnight)


def span(freeze: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """The beginning and the end of a freeze, as stored in `catalogue.Dag.freeze`."""
    return _instant(freeze["from"], end=False), _instant(freeze["until"], end=True)


Moment = Annotated[
    str,
    BeforeValidator(moment_text),
    WithJsonSchema({"type": "string", "examples": ["2026-12-24", "2026-12-24T18:00:00Z"]}),
]


class FreezeSpec(Spec):
    """A time during which nobody runs the DAG, except the people in `except`."""

    begins: Moment = Field(alias="from", description="a date means from 00:00 UTC on")
    until: Moment = Field(description="a date means until the end of that day in UTC")
    exempt: list[Subject] = Field(default=[], alias="except", description="people who may run it all the same")
    why: Title = Field(description="shown to everybody who is refused")

    @model_validator(mode="after")
    def _in_order(self) -> FreezeSpec:
        begins, ends = span(self.as_json())
        if ends <= begins:
            raise ValueError(f"until ({self.until}) is not after from ({self.begins}); correct one of them.")
        return self
