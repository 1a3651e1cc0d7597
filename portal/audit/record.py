"""Writing the trail: events go into the same transaction as what they record, and are appended as its last statement.

    with audit.recording(refusal=Verb.REQUEST_APPROVE_REFUSED, by=by, target=ref) as trail:
        ...                                       # check, lock, change rows
        trail.add(Verb.REQUEST_APPROVED, by=by, target=ref)

No event, no action: where the trail cannot be written, the transaction is rolled back with everything in it. When the
block raises a refusal, its changes are rolled back and the refusal itself is recorded in a transaction of its own.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from django.db import transaction
from django.utils import timezone

from portal.audit.models import AuditEvent, AuditHead
from portal.audit.verbs import Verb
from portal.errors import GatehouseError

GENESIS = "0" * 64
SYSTEM = "gatehouse"  # the actor of what the portal does by itself


class Actor(Protocol):
    """Whoever acts; accounts.User fits."""

    def get_username(self) -> str: ...


@dataclass(frozen=True)
class Source:
    """Where the call at hand came from; set by the doors, read here."""

    address: str = ""
    token: str = ""


source: ContextVar[Source] = ContextVar("audit_source", default=Source())  # noqa: B039 - frozen


@dataclass
class Trail:
    """Events of the transaction at hand, in the order in which they will be appended."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self,
        verb: Verb,
        *,
        by: Actor | None,
        target: str,
        outcome: AuditEvent.Outcome = AuditEvent.Outcome.SUCCESS,
        on_behalf_of: Actor | None = None,
        deployment: str = "",
        request: str = "",
        grant: str = "",
        operation: str = "",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an event. `by=None` is the portal itself. `detail` holds str, int, bool, None, lists and dicts only."""
        self.entries.append(
            {
                "actor": by.get_username() if by else SYSTEM,
                "on_behalf_of": on_behalf_of.get_username() if on_behalf_of else "",
                "token": source.get().token,
                "source": source.get().address,
                "verb": verb.value,
                "outcome": outcome.value,
                "target": target,
                "deployment": deployment,
                "request": request,
                "grant": grant,
                "operation": operation,
                "detail": dict(detail or {}),
            }
        )


_open = threading.local()


@contextmanager
def recording(*, refusal: Verb | None = None, by: Actor | None = None, target: str = "") -> Iterator[Trail]:
    """One transaction with its events. Inside another `recording` it joins that one.

    refusal: the event to write when a GatehouseError leaves the outermost block.
    Raises what the block raises; nothing of the block is kept then, except the record of the refusal.
    """
    outer: Trail | None = getattr(_open, "trail", None)
    if outer is not None:
        mark = len(outer.entries)
        try:
            with transaction.atomic():
                yield outer
        except BaseException:
            del outer.entries[mark:]
            raise
        return
    try:
        with transaction.atomic():
            _open.trail = trail = Trail()
            try:
                yield trail
            finally:
                _open.trail = None
            _append(trail.entries)
    except GatehouseError as error:
        if refusal is not None:
            said = Trail()
            said.add(
                refusal,
                by=by,
                target=target,
                outcome=AuditEvent.Outcome.REFUSED,
                detail={"reason": error.reason, "said": error.detail},
            )
            with transaction.atomic():
                _append(said.entries)
        raise


def _append(entries: list[dict[str, Any]]) -> None:
    """Chain and insert `entries`. The head's lock is taken here, last, so that writers queue only for the commit."""
    if not entries:
        return
    head = AuditHead.objects.select_for_update().get()
    events = []
    for entry in entries:
        head.seq += 1
        at = timezone.now()
        text = canonical({**entry, "seq": head.seq, "at": stamp(at)})
        prev, head.hash = head.hash, chained(head.hash, text)
        columns = {name: value for name, value in entry.items() if name != "detail"}
        events.append(AuditEvent(seq=head.seq, at=at, payload=text, prev=prev, hash=head.hash, **columns))
    AuditEvent.objects.bulk_create(events)
    head.save(update_fields=["seq", "hash"])


def stamp(at: datetime) -> str:
    """RFC 3339 in UTC with microseconds, so that text order is time order."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def canonical(document: Mapping[str, Any]) -> str:
    """JSON with sorted keys, no spaces and no floats: the one text of an event, hashed and stored as it is.

    Raises TypeError for a float or anything JSON has no word for. NUL and lone surrogates, which a database refuses,
    become U+FFFD.
    """
    return json.dumps(_clean(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_clean(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    raise TypeError(f"an audit event cannot hold a {type(value).__name__}: {value!r}")


def chained(prev: str, payload: str) -> str:
    """SHA-256 over the previous event's hash and this event's canonical text, in hex."""
    return hashlib.sha256(bytes.fromhex(prev) + payload.encode()).hexdigest()
