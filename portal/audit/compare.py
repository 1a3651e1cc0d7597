"""Comparing rows with the events that made them, so that a row changed behind the portal's back is found.

A room says in a Ledger how each of its rows follows from events: a small table, verb by verb, of the columns that the
event makes. Verifying replays the events of every row and compares. Found are rows that no event began, columns that no
event made so, and events of rows that are not there. Rows are read in batches, their events by index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, Q, QuerySet

from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.verbs import Verb

BATCH = 500
NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
HIGHEST = 2**63 - 1  # of a key in the database
TRIES = 3  # a row may change while it is looked at
Columns = Mapping[str, Any]


class Unsaid:
    """The value of a column of which an event says nothing; it is not compared."""


UNSAID = Unsaid()


@dataclass(frozen=True)
class AnyOf:
    """One of several values, where no event tells them apart."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class Told:
    """An event as a ledger reads it; `so_far` is what the events before it made of the row."""

    event: AuditEvent
    detail: Columns
    so_far: Columns

    def said(self, name: str) -> Any:
        return self.detail.get(name, UNSAID)


Makes = Callable[[Told], Columns]


def nothing(told: Told) -> Columns:
    """For a verb that changes no column that is compared."""
    return {}


@dataclass(frozen=True)
class Ledger:
    """How the rows of one model follow from events.

    named_by: the columns of an event that can refer to a row, each with what gives a row's reference there.
    The first column decides; the others are used where it is empty.
    shown: by column, the value of a row in the form in which events say it.
    makes: by verb, the values of the columns after such an event.
    begins: the verbs of the event that creates a row. A row without such an event was not made by Gatehouse.
    """

    model: type[Model]
    rows: Callable[[], QuerySet[Any]]
    named_by: Mapping[str, Callable[[Any], str]]
    prefix: str
    shown: Mapping[str, Callable[[Any], Any]]
    makes: Mapping[Verb, Makes]
    begins: frozenset[Verb]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    """Every other field of the model, with why it is left out; a test looks that none is forgotten."""

    @property
    def column(self) -> str:
        return next(iter(self.named_by))


LEDGERS: list[Ledger] = []


def register(*ledgers: Ledger) -> None:
    """For a room's AppConfig.ready."""
    LEDGERS.extend(ledger for ledger in ledgers if ledger not in LEDGERS)


def differing(ledger: Ledger) -> Iterator[tuple[int | None, str] | None]:
    """One entry for every row that was compared: None where it is as its events made it, else (event, words)."""
    left = ledger.rows().order_by("pk")
    last = 0
    while rows := list(left.filter(pk__gt=last)[:BATCH]):
        last = rows[-1].pk
        events = _events(ledger, rows)
        for row in rows:
            found = _judge(ledger, row, events[row.pk])
            yield _again(ledger, row.pk) if found else None


def without_row(events: Sequence[AuditEvent]) -> Iterator[tuple[int, str]]:
    """The events among these that speak of a row that is not there."""
    for ledger in LEDGERS:
        named: dict[str, int] = {}
        numbers: dict[int, str] = {}
        for event in events:
            reference = getattr(event, ledger.column)
            if event.verb in ledger.makes and reference.startswith(f"{ledger.prefix}-") and reference not in named:
                named[reference] = event.seq
                if NUMBER.fullmatch(number := reference.partition("-")[2]) and int(number) <= HIGHEST:
                    numbers[int(number)] = reference
                else:
                    yield event.seq, f"Event {event.seq} refers to {_short(reference)}, a reference that cannot exist."
        there = set(ledger.rows().filter(pk__in=numbers).values_list("pk", flat=True)) if numbers else set()
        for number in sorted(numbers.keys() - there):
            yield (
                named[numbers[number]],
                f"Event {named[numbers[number]]} names {numbers[number]}, which does not exist.",
            )


def _again(ledger: Ledger, pk: int) -> tuple[int | None, str] | None:
    """Judge a row once more, by events that were the same before and after it was read: it may be changing now."""
    found = None
    for _ in range(TRIES):
        row = ledger.rows().filter(pk=pk).first()
        if row is None:
            return None
        before = _events(ledger, [row])[pk]
        row = ledger.rows().filter(pk=pk).first()
        after = _events(ledger, [row])[pk] if row else []
        found = _judge(ledger, row, after) if row else None
        if [event.seq for event in before] == [event.seq for event in after]:
            return found
    return found


def _events(ledger: Ledger, rows: Sequence[Any]) -> dict[int, list[AuditEvent]]:
    """The events that make something of each row, the oldest first."""
    whose: dict[str, dict[str, int]] = {
        column: {name(row): row.pk for row in rows} for column, name in ledger.named_by.items()
    }
    about = Q()
    for column, names in whose.items():
        about |= Q(**{f"{column}__in": list(names)})
    found: dict[int, list[AuditEvent]] = {row.pk: [] for row in rows}
    for event in AuditEvent.objects.filter(about, verb__in=ledger.makes).order_by("seq"):
        own, others = ledger.column, [column for column in whose if column != ledger.column]
        for column in [own] if getattr(event, own) else others:
            if (pk := whose[column].get(getattr(event, column))) is not None:
                found[pk].append(event)
    return found


def _judge(ledger: Ledger, row: Any, events: Sequence[AuditEvent]) -> tuple[int | None, str] | None:
    state: dict[str, Any] = {}
    made_by: dict[str, int] = {}
    begun = False
    name = ledger.named_by[ledger.column](row)
    for event in events:
        try:
            made = ledger.makes[Verb(event.verb)](Told(event, event.detail, state))
        except UNREADABLE:
            return event.seq, f"Event {event.seq} about {name} cannot be read: Gatehouse did not write it."
        begun = begun or bool(made and event.verb in ledger.begins)
        state |= made
        made_by |= dict.fromkeys(made, event.seq)
    if not begun:
        return None, f"No event created {name}: it was inserted directly into the database, or its events are missing."
    for column, show in ledger.shown.items():
        try:
            wanted, shown = state.get(column, UNSAID), show(row)
        except UNREADABLE:
            return None, f"{name} was changed: its {column} cannot be read."
        if isinstance(wanted, Unsaid) or wanted == shown or (isinstance(wanted, AnyOf) and shown in wanted.values):
            continue
        told = " or ".join(map(_short, wanted.values)) if isinstance(wanted, AnyOf) else _short(wanted)
        seq = made_by[column]
        return seq, f"{name} was changed: its {column} is {_short(shown)}, but event {seq} set {told}."
    return None


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "; ".join(map(_short, value)) or "empty"
    text = "empty" if value in ("", None) else _text(value)
    return text if len(text) <= 120 else f"{text[:119]}…"


def _text(value: Any) -> str:
    try:
        return str(value)
    except UNREADABLE:  # nested too deeply, or a number too long
        return "something that cannot be shown"
