"""Controls of numbers, texts, dates and times."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from portal.core import bounds, json_schema
from portal.dags.parameters.declared import Declared
from portal.dags.parameters.schema_words import types
from portal.web.dags.controls.base import Control, are_scalars, area, as_text, empty, empty_text, from_json


def number(one: Declared) -> Control:
    mode = "numeric" if "integer" in types(one.schema) else "decimal"
    field = forms.CharField(widget=forms.TextInput(attrs={"class": "short", "inputmode": mode, "autocomplete": "off"}))

    def read(text: str) -> Any:
        if not (typed := text.strip()):
            return empty(one)
        try:
            value = from_json(typed)
        except ValueError:
            value = None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"“{typed[:60]}” is not a number. Enter one like 17 or 2.5.")
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return Control(field, lambda value: "" if value is None else json.dumps(value), read)


def text(one: Declared) -> Control:
    schema = one.schema
    form = schema.get("format")
    default = one.default if isinstance(one.default, str) else ""
    if form == "multiline" or "\n" in default or "\r" in default:
        return _text(one, area(5))
    if form in ("date", "time") and default and json_schema.errors({"format": form}, default):
        return _text(one, forms.TextInput())  # a browser would leave the field of a date empty
    if form == "date":
        return _text(one, forms.DateInput(attrs={"type": "date", "class": "short-time"}))
    if form == "time":
        return _time(one)
    if form == "date-time" and (not one.default or moment_of(one.default)):
        return _moment_field(one)
    kinds = {"email": "email", "uri": "url"}
    attrs: dict[str, Any] = {"autocomplete": "off", "spellcheck": "false"}
    if form in kinds:
        attrs["inputmode"] = kinds[form]
    if isinstance(most := schema.get("maxLength"), int) and not isinstance(most, bool) and 0 < most < 100_000:
        attrs["maxlength"] = max(most, len(one.default) if isinstance(one.default, str) else 0)
    return _text(one, forms.TextInput(attrs=attrs))


def _text(one: Declared, widget: forms.Widget) -> Control:
    field = forms.CharField(strip=False, widget=widget)
    examples = one.schema.get("examples")
    if isinstance(examples, list | tuple) and are_scalars(examples):
        field.suggestions = [str(value) for value in examples if value is not None]  # type: ignore[attr-defined]

    def read(text: str) -> Any:
        return text if text else empty_text(one)

    return Control(field, as_text, read)


def _time(one: Declared) -> Control:
    made = _text(one, forms.TimeInput(attrs={"type": "time", "step": "1", "class": "short-time"}))

    return Control(made.field, made.write, made.read, tidy=lambda text: f"{text}:00" if len(text) == 5 else text)


def _moment_field(one: Declared) -> Control:
    """A moment in the reader's time zone. It is sent in UTC, as Airflow's form does."""
    field = forms.CharField(
        widget=forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1", "class": "short-time"})
    )

    def write(value: Any) -> str:
        moment = moment_of(value)
        return timezone.localtime(moment).strftime("%Y-%m-%dT%H:%M:%S") if moment else str(value or "")

    def read(text: str) -> Any:
        if not text.strip():
            return empty_text(one)
        moment = parse_datetime(text.strip()) if text.isascii() else None
        if moment is None:
            raise ValueError(f"“{text[:60]}” is not a date and time. Enter one like 2026-11-21T17:00:00.")
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.get_current_timezone())
        try:
            return moment.astimezone(UTC).isoformat()
        except OverflowError:
            raise ValueError(f"“{text[:60]}” is not a year that can be used. Enter another date and time.") from None

    return Control(field, write, read, hint=f"In {timezone.get_current_timezone_name()} time.", tidy=_with_seconds)


def _with_seconds(text: str) -> str:
    return f"{text}:00" if len(text) == len("2026-11-21T12:00") else text


def moment_of(value: Any) -> datetime | None:
    try:
        found = parse_datetime(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if found is None or found.tzinfo is None:
        return None
    return found if bounds.moment(found) == found else None  # others do not exist in every time zone
