"""Verifies the trail, and verifies that requests, grants and runs match their events.

Of the trail it checks: guards, numbers without gaps, leaves and chain, copies in columns and references, head.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from threading import Lock

from django.db import DatabaseError, InterfaceError
from django.db.models import Max
from django.utils.dateparse import parse_datetime

from portal.audit import carried, compare, guards
from portal.audit.format import GENESIS, SALT, VERSION, canonical, chained, leaf_of
from portal.audit.models import UNREADABLE, AuditEvent, AuditHead, AuditReference
from portal.audit.record import PROJECTIONS, Actor, recording
from portal.audit.searching import search_text
from portal.audit.verbs import Verb
from portal.core.errors import Conflict

BATCH = 1000
_verifying = Lock()
SHOWN = 20  # problems that are listed; the rest is only counted


@dataclass
class Result:
    """The result. `events`: events checked, up to `head_seq`. `first_bad`: the lowest number with a problem."""

    events: int = 0
    first_seq: int = 1  # a trail converted from an earlier format begins with event 0
    rows: int = 0  # requests, grants and other rows that were compared with their events
    problems: list[str] = field(default_factory=list)
    found: int = 0
    first_bad: int | None = None
    head_seq: int = 0
    head_hash: str = GENESIS

    @property
    def ok(self) -> bool:
        return self.found == 0

    @property
    def events_in_all(self) -> int:
        return max(0, self.head_seq - self.first_seq + 1)

    def wrong(self, seq: int | None, words: str) -> None:
        """seq: the event that is wrong or that reports the problem; None if there is none."""
        self.found += 1
        if seq is not None:
            self.first_bad = seq if self.first_bad is None else min(seq, self.first_bad)
        if self.found <= SHOWN:
            self.problems.append(words)


def verify() -> Result:
    """Recompute and compare everything. Only reads, in constant memory. Events appended meanwhile are not checked."""
    result = Result()
    for words in guards.problems():
        result.wrong(None, words)
    head = AuditHead.objects.first()
    if head is None:
        result.wrong(0, "The head of the chain is missing, so the length of the trail cannot be checked.")
        upto = AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0
    else:
        upto, result.head_seq, result.head_hash = head.seq, head.seq, head.chain
    _check_trail(result, head, upto)
    for ledger in compare.LEDGERS:
        _compare(result, ledger)
    if result.found > SHOWN:
        result.problems.append(f"And {result.found - SHOWN} more.")
    return result


def verify_and_record(*, by: Actor | None) -> Result:
    """`verify`, and an event with the result. If that event cannot be written, this is one more problem.

    Raises Conflict while this process is already verifying: repeated calls would otherwise occupy every thread.
    """
    if not _verifying.acquire(blocking=False):
        raise Conflict("The trail is being verified already. Its result appears on the audit page.")
    try:
        return _record(verify(), by)
    finally:
        _verifying.release()


def _record(result: Result, by: Actor | None) -> Result:
    detail = {"events": result.events, "rows": result.rows, "head": result.head_hash, "up_to": result.head_seq}
    try:
        with recording() as trail:
            if result.ok:
                trail.add(Verb.AUDIT_VERIFIED, by=by, target="audit", detail=detail)
            else:
                detail |= {"first_bad": result.first_bad, "problems": result.problems}
                outcome = AuditEvent.Outcome.FAILED
                trail.add(Verb.AUDIT_VERIFY_FAILED, by=by, target="audit", outcome=outcome, detail=detail)
    except (DatabaseError, InterfaceError, AuditHead.DoesNotExist, ValueError) as error:
        # ValueError: the head has no valid hash
        result.found += 1
        result.problems.append(f"This result could not be recorded in the trail: {error}")
    return result


def _check_trail(result: Result, head: AuditHead | None, upto: int) -> None:
    last_seq, last_chain = 0, GENESIS
    old: carried.OldChain | None = None
    try:
        for batch in _batches(upto):
            if not result.events and carried.begins(batch[0]):
                old = carried.OldChain(batch[0])
                result.first_seq, last_seq = batch[0].seq, batch[0].seq - 1
            about = _references(batch, after=last_seq if result.events else None)
            for event in batch:
                _check_place(result, event, last_seq, last_chain)
                _check_itself(result, event, about.pop(event.seq, set()))
                last_seq, last_chain = event.seq, event.chain
                if old is not None and event.seq != result.first_seq:
                    old.add(event)
                result.events += 1
            for seq in sorted(about):
                result.wrong(seq, f"There are references of event {seq}, which does not exist.")
            for seq, words in compare.without_row(batch):
                result.wrong(seq, words)
    except UNREADABLE:
        result.wrong(last_seq + 1, f"An event after event {last_seq} cannot be read; those after it are not checked.")
        return
    for words in old.differences() if old is not None else ():
        result.wrong(result.first_seq, words)
    if head is not None:
        _check_head(result, head, last_seq, last_chain)


def _references(batch: list[AuditEvent], *, after: int | None) -> dict[int, set[str]]:
    """References in the index, by event number. Includes references of missing events before the batch."""
    rows = AuditReference.objects.filter(seq__lte=batch[-1].seq)
    found: dict[int, set[str]] = {}
    for seq, reference in (rows if after is None else rows.filter(seq__gt=after)).values_list("seq", "reference"):
        found.setdefault(seq, set()).add(reference)
    return found


def _compare(result: Result, ledger: compare.Ledger) -> None:
    what = ledger.model._meta.verbose_name_plural
    try:
        for found in compare.differing(ledger):
            result.rows += 1
            if found:
                result.wrong(*found)
    except UNREADABLE:
        result.wrong(None, f"One of the {what}, or an event about one, cannot be read; not all {what} are compared.")


def _batches(upto: int) -> Iterator[list[AuditEvent]]:
    rows = left = AuditEvent.objects.filter(seq__lte=upto).order_by("seq")
    while batch := list(left[:BATCH]):
        yield batch
        left = rows.filter(seq__gt=batch[-1].seq)


def _check_place(result: Result, event: AuditEvent, last_seq: int, last_chain: str) -> None:
    """Does the event follow the one before?"""
    if event.seq < 1 and event.seq != result.first_seq:
        result.wrong(event.seq, f"An event has the number {event.seq}, which Gatehouse never gives.")
    elif event.seq != last_seq + 1:
        result.wrong(last_seq + 1, f"The trail has a gap: {_events(last_seq + 1, event.seq - 1)} missing.")
    elif event.prev != last_chain:
        is_first = event.seq == result.first_seq
        before = "the beginning of the trail" if is_first else f"event {last_seq} as it is now"
        result.wrong(event.seq, f"Event {event.seq} does not follow {before}: the chain is broken between them.")


def _check_itself(result: Result, event: AuditEvent, about: set[str]) -> None:
    """Does the leaf match the text, the chain the leaf, and do columns and references match the text?"""
    try:
        chain = chained(event.prev, event.leaf)
    except ValueError:
        result.wrong(event.seq, f"Event {event.seq} has no valid previous hash, or no valid leaf.")
        return
    if event.leaf != leaf_of(event.payload):
        result.wrong(event.seq, f"Event {event.seq} was changed: its leaf does not match its text.")
    if event.chain != chain:
        result.wrong(event.seq, f"Event {event.seq} was changed: its hash does not match its leaf.")
    document = event.document
    try:
        if not document or canonical(document) != event.payload:
            raise ValueError("not canonical")
        at, texts = parse_datetime(document["at"]), search_text(document)
    except UNREADABLE:
        result.wrong(event.seq, f"The text of event {event.seq} is not canonical JSON.")
        return
    for name, is_right in FORMAT.items():
        if not is_right(document.get(name)):
            result.wrong(event.seq, f"The text of event {event.seq} has no proper {name}, which every event has.")
    if not any(one == event.target or one.endswith(f":{event.target}") for one in event.about):
        result.wrong(event.seq, f"The references of event {event.seq} lack its target.")
    said = {name: document.get(name) for name in (*PROJECTIONS, "seq")}
    shown = {name: getattr(event, name) for name in said}
    differing = [name for name in said if said[name] != shown[name]]
    if event.at is None or at != event.at.astimezone(UTC):  # None: SQLite accepts any text as a time
        differing.append("at")
    if event.search_text != texts:
        differing.append("search_text")
    if differing:
        columns = f"The column {differing[0]}" if len(differing) == 1 else f"The columns {', '.join(differing)}"
        verb = "does" if len(differing) == 1 else "do"
        result.wrong(event.seq, f"{columns} of event {event.seq} {verb} not match its text.")
    if about != set(event.about):
        result.wrong(event.seq, f"The references of event {event.seq} do not match its text.")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)


FORMAT: dict[str, Callable[[object], bool]] = {
    "v": lambda value: value == VERSION and not isinstance(value, bool),
    "salt": lambda value: isinstance(value, str) and bool(SALT.fullmatch(value)),
    "about": _is_texts,
    "detail": lambda value: isinstance(value, dict),
}
"""Keys that every payload has besides the copied columns."""


def _check_head(result: Result, head: AuditHead, last_seq: int, last_chain: str) -> None:
    """Does the head name the last event? Gatehouse did not write events beyond it."""
    if last_seq < head.seq:
        result.wrong(last_seq + 1, f"The end of the trail was cut off: {_events(last_seq + 1, head.seq)} missing.")
    elif last_chain != head.chain:
        result.wrong(head.seq, f"The head does not name event {head.seq} as it is now.")
    # in this order: an event appended in between moves the head with it
    newest = AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0
    referring = AuditReference.objects.aggregate(last=Max("seq"))["last"] or 0
    now = AuditHead.objects.first()
    if now is not None and newest > now.seq:
        result.wrong(now.seq + 1, f"There are events beyond the head, which names {now.seq} as the last one.")
    elif now is not None and referring > now.seq:
        result.wrong(referring, f"There are references of event {referring}, which does not exist.")


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"
