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

from django.db.models import Model, QuerySet

from portal.audit import references
from portal.audit.models import UNREADABLE, AuditEvent, AuditReference
from portal.audit.verbs import Verb
from portal.core import refs

BATCH = 500
NUMBER = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
HIGHEST = 2**63 - 1  # of a key in the database
TRIES = 3  # a row may change while it is looked at
Columns = Mapping[str, Any]


UNSAID = object()  # of a column of which an event says nothing: what an event before it said stays
UNKNOWN = object()  # what an event of an earlier release made of a column, without saying what; it is not compared


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
        """What the event says of `name`, which its kind did not say in earlier releases; else UNSAID."""
        return self.detail.get(name, UNSAID)

    def changed(self, name: str) -> Any:
        """The same for a column that the event changes in any case; else UNKNOWN."""
        return self.detail.get(name, UNKNOWN)


class OutOfPlace(Exception):
    """An event cannot come after those before it; `str()` says why, after the event and the row."""


Makes = Callable[[Told], Columns]


def nothing(told: Told) -> Columns:
    """For a verb that changes no column that is compared."""
    return {}


@dataclass(frozen=True)
class Ledger:
    """How the rows of one model follow from events.

    prefix: the kind of reference by which events name a row: of those in an event, the first one is the row's.
    known_by: other kinds by which an event that names none of that kind can mean a row, each with what gives a row's
    reference of the kind, empty where it has none.
    shown: by column, the value of a row in the form in which events say it.
    makes: by verb, the values of the columns after such an event.
    begins: the verbs of the event that creates a row. A row without such an event was not made by Gatehouse.
    next: by status, the verbs that may come in it; "" is before the row began.
    """

    model: type[Model]
    rows: Callable[[], QuerySet[Any]]
    prefix: str
    shown: Mapping[str, Callable[[Any], Any]]
    makes: Mapping[Verb, Makes]
    begins: frozenset[Verb]
    next: Mapping[str, frozenset[Verb]]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    """Every other field of the model, with why it is left out; a test looks that none is forgotten."""
    known_by: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)

    def name(self, row: Any) -> str:
        return refs.ref(self.prefix, row.pk)


LEDGERS: list[Ledger] = []


def register(*ledgers: Ledger) -> None:
    """For a room's AppConfig.ready."""
    LEDGERS.extend(ledger for ledger in ledgers if ledger not in LEDGERS)


def differing(ledger: Ledger) -> Iterator[tuple[int | None, str] | None]:
    """One entry for every row that was compared: None where it is as its events made it, else (event, words)."""
    left = keys = ledger.model._base_manager.order_by("pk").values_list("pk", flat=True)
    full = True
    while full and (batch := list(left[:BATCH])):
        full, left = len(batch) == BATCH, keys.filter(pk__gt=batch[-1])
        rows = _rows(ledger, batch)
        events = _events(ledger, list(rows.values()))
        for pk in batch:
            found = _judge(ledger, rows[pk], events[pk]) if pk in rows else (None, "")
            yield _again(ledger, pk) if found else None


def _rows(ledger: Ledger, keys: Sequence[int]) -> dict[int, Any]:
    """The rows with these keys that can be read whole, each by its key."""
    try:
        return {row.pk: row for row in ledger.rows().filter(pk__in=keys)}
    except UNREADABLE:
        if len(keys) == 1:
            return {}
        return {pk: row for key in keys for pk, row in _rows(ledger, [key]).items()}


def _not_read(ledger: Ledger, pk: int) -> str:
    """Why a row cannot be compared. Foreign keys are read as they stand: one that leads nowhere hides its row."""
    name = refs.ref(ledger.prefix, pk)
    for column in ledger.model._meta.concrete_fields:
        related = column.related_model
        if not isinstance(related, type) or not issubclass(related, Model):
            continue
        try:
            names = ledger.model._base_manager.filter(pk=pk).values_list(column.attname, flat=True)[0]
            if names is None or related._base_manager.filter(pk=names).exists():
                continue
        except UNREADABLE:
            names = "unreadable"
        return f"{name} was changed: its {column.name} is {_short(names)}, which does not exist."
    return f"{name} was changed: a value of it cannot be read."


def without_row(events: Sequence[AuditEvent]) -> Iterator[tuple[int, str]]:
    """The events among these that speak of a row that is not there."""
    for ledger in LEDGERS:
        named: dict[str, int] = {}
        numbers: dict[int, str] = {}
        for event in events:
            if event.verb not in ledger.makes or not event.document:
                continue
            reference = references.first(event.about, ledger.prefix)
            by_another = not reference and event.verb in ledger.begins and ledger.known_by
            if by_another or reference in named:
                continue
            named[reference] = event.seq
            prefix, _, number = reference.partition("-")
            if prefix == ledger.prefix and NUMBER.fullmatch(number) and int(number) <= HIGHEST:
                numbers[int(number)] = reference
            elif reference:
                yield event.seq, f"Event {event.seq} refers to {_short(reference)}, a reference that cannot exist."
            else:
                words = f"names no {ledger.prefix} reference, which its kind always names."
                yield event.seq, f"Event {event.seq} ({event.verb}) {words}"
        existing = ledger.model._base_manager.filter(pk__in=numbers)
        there = set(existing.values_list("pk", flat=True)) if numbers else set()
        for missing in sorted(numbers.keys() - there):
            seq = named[numbers[missing]]
            yield seq, f"Event {seq} names {numbers[missing]}, which does not exist."


def _again(ledger: Ledger, pk: int) -> tuple[int | None, str] | None:
    """Judge a row once more, by events that were the same before and after it was read: it may be changing now."""
    found = None
    for _ in range(TRIES):
        row = _rows(ledger, [pk]).get(pk)
        if row is None:
            return (None, _not_read(ledger, pk)) if ledger.model._base_manager.filter(pk=pk).exists() else None
        before = _events(ledger, [row])[pk]
        row = _rows(ledger, [pk]).get(pk)
        after = _events(ledger, [row])[pk] if row else []
        found = _judge(ledger, row, after) if row else None
        if [event.seq for event in before] == [event.seq for event in after]:
            return found
    return found


def _events(ledger: Ledger, rows: Sequence[Any]) -> dict[int, list[AuditEvent]]:
    """The events that make something of each row, the oldest first."""
    by = {ledger.prefix: ledger.name, **ledger.known_by}
    whose = {kind: {name(row): row.pk for row in rows} for kind, name in by.items()}
    about = AuditReference.objects.filter(reference__in=[name for names in whose.values() for name in names])
    found: dict[int, list[AuditEvent]] = {row.pk: [] for row in rows}
    for event in AuditEvent.objects.filter(seq__in=about.values("seq"), verb__in=ledger.makes).order_by("seq"):
        own = references.first(event.about, ledger.prefix)
        named = {ledger.prefix: own} if own else {kind: references.first(event.about, kind) for kind in ledger.known_by}
        for kind, reference in named.items():
            if (pk := whose[kind].get(reference)) is not None:
                found[pk].append(event)
    return found


def _judge(ledger: Ledger, row: Any, events: Sequence[AuditEvent]) -> tuple[int | None, str] | None:
    state: dict[str, Any] = {}
    made_by: dict[str, int] = {}
    begun = False
    name = ledger.name(row)
    for event in events:
        told = f"Event {event.seq} ({event.verb}) about {name}"
        try:
            verb = Verb(event.verb)
            _check_place(ledger, verb, state)
            made = _known(ledger.makes[verb](Told(event, event.detail, state)), state)
        except OutOfPlace as error:
            return event.seq, f"{told} cannot come here: {error}"
        except UNREADABLE:
            return event.seq, f"{told} cannot be read: Gatehouse did not write it."
        begun = begun or bool(made and verb in ledger.begins)
        state |= made
        made_by |= dict.fromkeys(made, event.seq)
    if not begun:
        return None, f"No event created {name}: it was inserted directly into the database, or its events are missing."
    for column, show in ledger.shown.items():
        try:
            wanted, shown = state.get(column, UNSAID), show(row)
        except UNREADABLE:
            return None, f"{name} was changed: its {column} cannot be read."
        if wanted in (UNSAID, UNKNOWN) or wanted == shown or (isinstance(wanted, AnyOf) and shown in wanted.values):
            continue
        told = " or ".join(map(_short, wanted.values)) if isinstance(wanted, AnyOf) else _short(wanted)
        seq = made_by[column]
        return seq, f"{name} was changed: its {column} is {_short(shown)}, but event {seq} set {told}."
    return None


def _check_place(ledger: Ledger, verb: Verb, state: Columns) -> None:
    """Raises OutOfPlace where the events before leave the row in no status in which this one may come."""
    status = state.get("status", "")
    possible = status.values if isinstance(status, AnyOf) else (status,)
    if not any(verb in ledger.next[one] for one in possible):
        raise OutOfPlace(f"it was {_short(' or '.join(possible))} by then." if state else "no event created it before.")


def _known(made: Columns, state: Columns) -> Columns:
    """Without what the event does not say of a column of which an earlier one said something."""
    return {name: value for name, value in made.items() if not (value is UNSAID and name in state)}


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
