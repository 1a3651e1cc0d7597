"""Repeated refusals: the first one is an event at once. Those within the next minute are counted and become one event.

The count is a database row, so it is shared by all processes and survives a crash. It becomes an event when its window
closes: by the worker's timer (`record.close_refusals`), or with the next refusal of its kind. So many refusals cause
only few events. SEVERAL kinds of refusal of one actor have separate windows at a time, and STRANGERS kinds of all
callers who did not sign in. All others share one window per verb.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from portal.audit.models import RepeatedRefusal
from portal.core import clock, refs
from portal.core.peers import network_of

WINDOW = timedelta(minutes=1)
SEVERAL = 20
STRANGERS = 20
BATCH = 200
MANY = "several"  # the target of an event that counts several targets

Entry = dict[str, Any]


def collapse(entries: Iterable[Entry], *, nobody: str, times: int = 1) -> list[Entry]:
    """The events to write now for these refusals, inside the caller's transaction. Repeats are counted instead.

    nobody: the actor of an entry whose caller did not sign in. times: how often each refusal happened.
    """
    return [event for entry in entries for event in _one(entry, entry["actor"] == nobody, times)]


def take_closed() -> list[Entry]:
    """The events of the windows that are over, inside the caller's transaction. Each event is returned only once."""
    over = RepeatedRefusal.objects.filter(opened_at__lte=clock.now() - WINDOW).order_by("pk")
    events = []
    for row in over[:BATCH]:
        if _unchanged(row).delete()[0] and row.repeats:
            events.append(_counted(row))
    return events


def _one(entry: Entry, stranger: bool, times: int) -> list[Entry]:
    who = f"from {network_of(entry['source'])}" if stranger else f"by {entry['actor']}"
    key = _key(who, entry["verb"], entry["target"], entry["detail"].get("reason"))
    if _count(key, times):
        return []
    if not RepeatedRefusal.objects.filter(key=key).exists() and _is_crowded(who, stranger):
        return _shared(entry, "from anywhere" if stranger else who, times)
    return _open(key, who, entry, times)


def _shared(entry: Entry, who: str, times: int) -> list[Entry]:
    """The shared window of a verb, for refusals without a separate one."""
    key = _key(who, entry["verb"], MANY, None)
    if _count(key, times):
        return []
    said = "There were too many different refusals; from here on they are counted together."
    shared = {
        **entry,
        "target": MANY,
        "about": [refs.named(refs.UNNAMED, MANY)],
        "detail": {"reason": "many", "said": said},
    }
    return _open(key, who, shared, times)


def _count(key: str, times: int) -> bool:
    """Whether a window with this key is open. If so, the refusals are counted in it."""
    now = clock.now()
    rows = RepeatedRefusal.objects.filter(key=key, opened_at__gt=now - WINDOW)
    return bool(rows.update(repeats=F("repeats") + times, last_at=now))


def _open(key: str, who: str, entry: Entry, times: int) -> list[Entry]:
    """Open the window of `key`, also again. If another process was faster, count the refusal in its window."""
    now = clock.now()
    old = RepeatedRefusal.objects.select_for_update().filter(key=key).first()
    if old is None:
        try:
            with transaction.atomic():
                RepeatedRefusal.objects.create(
                    key=key, who=who, entry=entry, opened_at=now, last_at=now, repeats=times - 1
                )
        except IntegrityError:
            return [] if _count(key, times) else [entry]
        return [entry]
    if old.opened_at > now - WINDOW and _count(key, times):  # another process opened it meanwhile
        return []
    if not _unchanged(old).update(entry=entry, opened_at=now, last_at=now, repeats=times - 1):
        return [] if _count(key, times) else [entry]
    return [_counted(old), entry] if old.repeats else [entry]


def _unchanged(row: RepeatedRefusal) -> Any:
    return RepeatedRefusal.objects.filter(pk=row.pk, opened_at=row.opened_at, repeats=row.repeats)


def _is_crowded(who: str, stranger: bool) -> bool:
    rows = RepeatedRefusal.objects.filter(opened_at__gt=clock.now() - WINDOW)
    if rows.filter(who=who).count() >= SEVERAL:
        return True
    return stranger and rows.filter(who__startswith="from ").count() >= STRANGERS


def _counted(row: RepeatedRefusal) -> Entry:
    times = {"first": row.opened_at.isoformat(), "last": row.last_at.isoformat()}
    return {**row.entry, "detail": {**row.entry["detail"], "repeats": row.repeats, **times}}


def _key(*parts: str | None) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
