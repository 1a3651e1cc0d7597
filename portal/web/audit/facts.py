"""The contents of an event as names and values for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from django.utils import timezone
from django.utils.dateformat import format as formatted
from django.utils.dateparse import parse_datetime

from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.record import SYSTEM
from portal.core import durations

NAMES = {
    "said": "Why",
    "why": "Why",
    "reason": "Reason",
    "conf": "Parameters",
    "conf_sha256": "Digest of the parameters",
    "dag": "DAG",
    "dag_id": "DAG",
    "dag_run_id": "Run in Airflow",
    "ends_at": "Ends",
    "starts_at": "Starts",
    "start_at": "Start",
    "start": "Result",
    "verified_at": "Verified in Airflow",
    "lapses_at": "Lapses",
    "first": "First",
    "last": "Last",
    "repeats": "Repeats",
    "sha256": "SHA-256",
    "up_to": "Up to event",
    "first_bad": "First wrong event",
}
MOMENTS = {"ends_at", "starts_at", "start_at", "verified_at", "lapses_at", "first", "last"}
SHOWN_AS_CHIP = {"break_glass", "marked"}  # shown as a chip beside the sentence, not as a fact


def facts(event: AuditEvent) -> list[tuple[str, str]]:
    """The actor, the source, and all details in their recorded order."""
    try:
        details = list(_details(event.detail))
    except UNREADABLE:
        details = [("Details", "The details cannot be shown, because Gatehouse did not write them. Verify the trail.")]
    return [(name, value) for name, value in (*_about(event), *details) if value]


def _about(event: AuditEvent) -> Iterator[tuple[str, str]]:
    yield "By", "Gatehouse itself" if event.actor == SYSTEM else event.actor
    yield "On behalf of", event.on_behalf_of
    yield "Token", event.token
    yield "From", event.source
    yield "Deployment", event.deployment


def _details(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in detail.items():
        if name in SHOWN_AS_CHIP or (name == "reason" and "said" in detail):  # then `reason` is a word for programs
            continue
        yield NAMES.get(name, name.replace("_", " ").capitalize()), _value(name, value)


def _value(name: str, value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _text(name, value)
    if isinstance(value, list):
        return "\n".join(_value("", item) for item in value)
    if isinstance(value, Mapping):
        return "\n".join(f"{key}: {_value(key, item) or 'nothing'}" for key, item in value.items())
    return str(value)


def _text(name: str, text: str) -> str:
    if name in MOMENTS:
        moment = parse_datetime(text)
        return formatted(timezone.localtime(moment), "j F Y, H:i:s T") if moment else text
    if name == "duration":
        try:
            return durations.words(durations.parse(text))
        except ValueError:
            return text
    if name == "conf":
        return indented(text)
    return text


def indented(text: str) -> str:
    """A JSON text with a line for each value; any other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except UNREADABLE:
        return text
