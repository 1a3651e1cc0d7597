"""Writing the trail: an event is part of the transaction that it records, and is its last statement.

    with audit.recording(refusal=Verb.REQUEST_APPROVE_REFUSED, by=by, target=ref) as trail:
        ...                                       # check, lock, change rows
        trail.add(Verb.REQUEST_APPROVED, by=by, target=ref)

No event, no action: if the trail cannot be written, the complete transaction is rolled back. If the block raises a
refusal, its changes are rolled back, and the refusal is recorded in a separate transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from django.db import models, transaction

from portal.audit import references, refusals
from portal.audit.format import VERSION, canonical, chained, clean, leaf_of, new_salt
from portal.audit.models import AuditEvent, AuditHead, AuditReference
from portal.audit.refusals import Entry
from portal.audit.searching import search_text
from portal.audit.verbs import Verb
from portal.core import clock
from portal.core.errors import GatehouseError
from portal.core.token_text import hide_complete_tokens, hide_tokens

SYSTEM = "gatehouse"  # the actor of the portal's own actions


class Actor(Protocol):
    """Anything that acts, for example accounts.User."""

    def get_username(self) -> str: ...


@dataclass(frozen=True)
class Source:
    """Where the current call came from. Web, API and commands set it; this module reads it."""

    address: str = ""
    token: str = ""


source: ContextVar[Source] = ContextVar("audit_source", default=Source())  # noqa: B039 - frozen


@dataclass
class Trail:
    """The events of the current transaction, in the order in which they will be appended."""

    entries: list[Entry] = field(default_factory=list)
    # refusals of joined blocks are kept although the blocks are undone; repeated ones become one event
    refusals: list[Entry] = field(default_factory=list)

    def add(
        self,
        verb: Verb,
        *,
        by: Actor | None,
        target: str,
        outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
        on_behalf_of: Actor | None = None,
        about: Iterable[str] = (),
        detail: Mapping[str, Any] | None = None,
    ) -> Entry:
        """Add an event. `by=None` is the portal itself. `detail` contains str, int, bool, None, lists and dicts only.

        about: references to what the event is about besides its target (portal.core.refs). Of each kind the first one
        (the target comes first of all) is the one that the event changes. Others are only mentioned.

        The caller may complete the returned entry with later results until the transaction ends.
        """
        columns = {
            "actor": by.get_username() if by else SYSTEM,
            "on_behalf_of": on_behalf_of.get_username() if on_behalf_of else "",
            "token": source.get().token,
            "source": source.get().address,
            "verb": verb.value,
            "outcome": outcome.value,
            "target": target,
        }
        # cleaned once, here: the columns must equal the hashed text, and must fit
        entry = clean({**columns, "about": [*about], "detail": detail or {}})
        refused = outcome is AuditEvent.Outcome.REFUSED
        hide = hide_tokens if refused else hide_complete_tokens
        entry |= {name: _without_tokens(entry[name], hide) for name in ("target", "about", "detail")}
        entry |= {name: _fit(entry[name], length) for name, length in PROJECTIONS.items()}
        named = references.about(entry["verb"], entry["target"], entry["about"])
        entry["about"] = [_fit(one, references.LENGTH) for one in named]
        kept = self.refusals if refused else self.entries
        kept.append(entry)
        return entry


PROJECTIONS: dict[str, int] = {
    column.name: column.max_length or 0
    for column in AuditEvent._meta.concrete_fields
    if isinstance(column, models.CharField) and column.name not in ("prev", "leaf", "chain")
}
"""The columns that repeat values of the payload, with their lengths."""

_open = threading.local()


@contextmanager
def recording(*, refusal: Verb | None = None, by: Actor | None = None, target: str = "") -> Iterator[Trail]:
    """One transaction with its events. Inside another `recording` it joins that one.

    refusal: the event to write if a GatehouseError leaves the block; repeats are counted (portal.audit.refusals). If a
    joined block and the outermost block both name one, the outermost is written, because it names what was attempted.
    Raises what the block raises. Then nothing of the block is kept except the record of the refusal. Must not be used
    inside a bare `transaction.atomic` (RuntimeError): other code could undo the recorded events there.
    """
    outer: Trail | None = getattr(_open, "trail", None)
    if outer is None:
        with _outermost(refusal, by, target) as trail:
            yield trail
    else:
        with _joined(outer, refusal, by, target):
            yield outer


@contextmanager
def _outermost(refusal: Verb | None, by: Actor | None, target: str) -> Iterator[Trail]:
    trail = Trail()
    try:
        with transaction.atomic(durable=True):
            _open.trail = trail
            try:
                yield trail
            finally:
                _open.trail = None
            _append(trail.entries + refusals.collapse(trail.refusals, nobody=SYSTEM))
    except GatehouseError as error:
        said = trail.refusals if refusal is None else [_refused(refusal, by, target, error)]
        if said:
            with transaction.atomic(durable=True):
                _append(refusals.collapse(said, nobody=SYSTEM))
            error.recorded = True
        raise


@contextmanager
def _joined(outer: Trail, refusal: Verb | None, by: Actor | None, target: str) -> Iterator[None]:
    mark = len(outer.entries)
    try:
        with transaction.atomic():
            yield
    except BaseException as error:
        del outer.entries[mark:]
        if refusal is not None and isinstance(error, GatehouseError):
            outer.refusals.append(_refused(refusal, by, target, error))
            error.recorded = True
        raise


def _refused(verb: Verb, by: Actor | None, target: str, error: GatehouseError) -> dict[str, Any]:
    said = Trail()
    outcome = AuditEvent.Outcome.REFUSED
    said.add(verb, by=by, target=target, outcome=outcome, detail={"reason": error.reason, "said": error.detail})
    return said.refusals[0]


def write_refusal(entry: Entry, *, times: int) -> None:
    """Record a refusal that happened `times` times, in a separate transaction. Raises DatabaseError."""
    with transaction.atomic(durable=True):
        _append(refusals.collapse([entry], nobody=SYSTEM, times=times))


def close_refusals() -> int:
    """Write the events of repeated refusals whose window is over. Returns their number. A timer calls this."""
    with transaction.atomic(durable=True):
        events = refusals.take_closed()
        _append(events)
    return len(events)


def _append(entries: list[dict[str, Any]]) -> None:
    """Chain and insert `entries`. The lock on the head is taken last, so that writers queue only for the commit."""
    if not entries:
        return
    head = AuditHead.objects.select_for_update().get()
    events, about = [], []
    for entry in entries:
        head.seq += 1
        at = clock.now()
        document = {**entry, "v": VERSION, "seq": head.seq, "at": stamp(at), "salt": new_salt()}
        payload = canonical(document)
        leaf = leaf_of(payload)
        prev, head.chain = head.chain, chained(head.chain, leaf)
        columns = {**{name: entry[name] for name in PROJECTIONS}, "search_text": search_text(document)}
        events.append(
            AuditEvent(seq=head.seq, at=at, payload=payload, prev=prev, leaf=leaf, chain=head.chain, **columns)
        )
        about += [AuditReference(seq=head.seq, reference=one) for one in dict.fromkeys(entry["about"])]
    AuditEvent.objects.bulk_create(events)
    AuditReference.objects.bulk_create(about)  # before the head moves: later the database refuses them
    head.save(update_fields=["seq", "chain"])


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _without_tokens(value: Any, hide: Callable[[str], str]) -> Any:
    """Hide tokens in an event. A refusal may contain an incomplete token; in other events a name may look like one."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {hide(key): _without_tokens(item, hide) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_tokens(item, hide) for item in value]
    return value


def _fit(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
