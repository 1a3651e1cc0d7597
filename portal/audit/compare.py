"""Compares rows with the audit events that made them, to find rows that were changed without Gatehouse.

A package describes in a Ledger how its rows follow from events: a table with the columns that each verb sets. Verifying
replays the events of every row and compares the result. It finds rows without an event that creates them, columns
with a value that no event set, and events of rows that do not exist. Rows are read in batches, events by index.
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
HIGHEST = 2**63 - 1  # the highest primary key of the database
TRIES = 3  # a row may change while it is compared
Columns = Mapping[str, Any]


NOT_RECORDED = object()  # the event says nothing of the column: the value of an earlier event stays
UNKNOWN = object()  # an event of an earlier release changed the column without saying to what; it is not compared


@dataclass(frozen=True)
class AnyOf:
    """One of several values, if no event says which."""

    values: tuple[Any, ...]


@dataclass(frozen=True)
class LedgerEvent:
    """An event as a ledger reads it. `before`: the columns of the row after the events before it."""

    event: AuditEvent
    detail: Columns
    before: Columns

    def value(self, name: str) -> Any:
        """The event's value of `name`. NOT_RECORDED if its release did not record it."""
        return self.detail.get(name, NOT_RECORDED)

    def changed(self, name: str) -> Any:
        """The same for a column that the event always changes: UNKNOWN if its release did not record the value."""
        return self.detail.get(name, UNKNOWN)


class OutOfPlace(Exception):
    """An event that cannot follow those before it. `str()` is the end of a sentence about the event and the row."""


Makes = Callable[[LedgerEvent], Columns]


def nothing(recorded: LedgerEvent) -> Columns:
    """For a verb that sets no compared column."""
    return {}


@dataclass(frozen=True)
class Ledger:
    """How the rows of one model follow from events.

    prefix: the kind of reference with which events name a row. The first reference of this kind in an event counts.
    known_by: other kinds that identify a row if an event has no reference of that kind. Each kind has a function that
    returns a row's reference of this kind, or "".
    shown: by column, the row's value in the form that events use.
    makes: by verb, the values of the columns after the event.
    begins: the verbs of the events that create a row. A row without such an event was not made by Gatehouse.
    next: by status, the verbs that may follow; "" is the status before the row exists.
    """

    model: type[Model]
    rows: Callable[[], QuerySet[Any]]
    prefix: str
    shown: Mapping[str, Callable[[Any], Any]]
    makes: Mapping[Verb, Makes]
    begins: frozenset[Verb]
    next: Mapping[str, frozenset[Verb]]
    not_compared: Mapping[str, str] = field(default_factory=dict)
    """All other fields of the model, with the reason why they are not compared. A test checks that none is missing."""
    known_by: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)

    def name(self, row: Any) -> str:
        return refs.ref(self.prefix, row.pk)


LEDGERS: list[Ledger] = []


def register(*ledgers: Ledger) -> None:
    """Call this in the AppConfig.ready of a package."""
    LEDGERS.extend(ledger for ledger in ledgers if ledger not in LEDGERS)


def differing(ledger: Ledger) -> Iterator[tuple[int | None, str] | None]:
    """One entry per compared row: None if it matches its events, otherwise (event, message)."""
    left = keys = ledger.model._base_manager.order_by("pk").values_list("pk", flat=True)
    full = True
    while full and (batch := list(left[:BATCH])):
        full, left = len(batch) == BATCH, keys.filter(pk__gt=batch[-1])
        rows = _rows(ledger, batch)
        events = _events(ledger, list(rows.values()))
        for pk in batch:
            found = _judge(ledger, rows[pk], events[pk]) if pk in rows else (None, "")
            yield _again(ledger, pk) if found else None


def problem_of(ledger: Ledger, pk: int) -> str:
    """In words, how one stored row differs from its events; empty if it does not."""
    found = _again(ledger, pk)
    return found[1] if found else ""


def _rows(ledger: Ledger, keys: Sequence[int]) -> dict[int, Any]:
    """The rows with these primary keys that can be read completely, by primary key."""
    try:
        return {row.pk: row for row in ledger.rows().filter(pk__in=keys)}
    except UNREADABLE:
        if len(keys) == 1:
            return {}
        return {pk: row for key in keys for pk, row in _rows(ledger, [key]).items()}


def _not_read(ledger: Ledger, pk: int) -> str:
    """Why a row cannot be compared. The raw foreign keys are read, because a dangling one hides the row in a join."""
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
    """The events among these whose row does not exist."""
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
                words = f"names no {ledger.prefix} reference, which this kind of event always has."
                yield event.seq, f"Event {event.seq} ({event.verb}) {words}"
        existing = ledger.model._base_manager.filter(pk__in=numbers)
        there = set(existing.values_list("pk", flat=True)) if numbers else set()
        for missing in sorted(numbers.keys() - there):
            seq = named[numbers[missing]]
            yield seq, f"Event {seq} names {numbers[missing]}, which does not exist."


def _again(ledger: Ledger, pk: int) -> tuple[int | None, str] | None:
    """Compare a row again, with events that were the same before and after it was read: it may be changing now."""
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
    """The events that set columns of each row, oldest first."""
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
            made = _known(ledger.makes[verb](LedgerEvent(event, event.detail, state)), state)
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
            wanted, shown = state.get(column, NOT_RECORDED), show(row)
        except UNREADABLE:
            return None, f"{name} was changed: its {column} cannot be read."
        if (
            wanted in (NOT_RECORDED, UNKNOWN)
            or wanted == shown
            or (isinstance(wanted, AnyOf) and shown in wanted.values)
        ):
            continue
        told = " or ".join(map(_short, wanted.values)) if isinstance(wanted, AnyOf) else _short(wanted)
        seq = made_by[column]
        return seq, f"{name} was changed: its {column} is {_short(shown)}, but event {seq} set {told}."
    return None


def _check_place(ledger: Ledger, verb: Verb, state: Columns) -> None:
    """Raises OutOfPlace if this verb may not follow in the status that the earlier events give."""
    status = state.get("status", "")
    possible = status.values if isinstance(status, AnyOf) else (status,)
    if not any(verb in ledger.next[one] for one in possible):
        raise OutOfPlace(f"it was {_short(' or '.join(possible))} by then." if state else "no event created it before.")


def _known(made: Columns, state: Columns) -> Columns:
    """Without columns that this event does not record, if an earlier event recorded them."""
    return {name: value for name, value in made.items() if not (value is NOT_RECORDED and name in state)}


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
