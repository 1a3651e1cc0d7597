"""Audit events for refused tokens. The first refusal of a kind is an event at once; repeats are counted in memory.

So a program that keeps sending an expired token does not cause a transaction per call. A thread of the web process
writes the counts (portal.serving.web). If the process dies, the counts of its last seconds are lost.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime

from accounts.models import Token
from portal.audit.models import AuditEvent
from portal.audit.record import Trail, source, write_refusal
from portal.audit.refusals import WINDOW, Entry
from portal.audit.verbs import Verb
from portal.core import clock, refs
from portal.core.peers import network_of

WHY_NOT = {
    "malformed": "it is not a token",
    "unknown": "there is no token with this key",
    "forged": "the key exists, but the secret is wrong",
    "revoked": "it was revoked",
    "expired": "it has expired",
    "inactive": "its owner can no longer sign in",
}
UNKNOWN = "unknown token"
MOST = 100  # kinds that one process counts separately

Kind = tuple[str, int | None, str]


@dataclass
class Kept:
    """One kind of refusal. `since`: when it was last written. `times`: how many are not written yet."""

    entry: Entry
    since: datetime
    times: int = 0


_kept: dict[Kind, Kept] = {}
_lock = threading.Lock()


def record(token: Token | None, why_not: str) -> None:
    """Count a refused token by its key. A text that is no token of ours is not stored: it may be somebody's secret.

    why_not: a key of WHY_NOT. Raises DatabaseError if the first refusal of a kind cannot be written.
    """
    kind: Kind = (why_not, token.pk if token else None, network_of(source.get().address))
    now = clock.now()
    with _lock:
        if kind not in _kept and len(_kept) >= MOST:
            token, kind = None, (why_not, None, "")  # too many kinds: counted together with others
        kept = _kept.get(kind)
        if kept is None:
            entry = _entry(token, why_not)
            kept = _kept[kind] = Kept(entry if kind[2] else {**entry, "source": ""}, now - WINDOW)
        kept.times += 1
        at_once = kept.since <= now - WINDOW
        if at_once:
            kept.since = now
    if at_once:
        _write(kept)


def write() -> None:
    """Write the counts since the last call, and forget kinds whose window is over. Raises DatabaseError."""
    for kind, kept in list(_kept.items()):
        _write(kept)
        with _lock:
            if not kept.times and kept.since <= clock.now() - WINDOW:
                _kept.pop(kind, None)


def _write(kept: Kept) -> None:
    with _lock:
        times, kept.times = kept.times, 0
    if not times:
        return
    try:
        write_refusal(kept.entry, times=times)
    except BaseException:
        with _lock:
            kept.times += times
        raise


def _entry(token: Token | None, why_not: str) -> Entry:
    detail = {"reason": why_not, "said": WHY_NOT[why_not]}
    if token is not None:
        detail |= {"owner": token.user.username, "name": token.name}
    return Trail().add(
        Verb.TOKEN_REFUSED,
        by=None,
        target=str(token) if token else UNKNOWN,
        about=[refs.person(token.user.username)] if token else [refs.named(refs.UNNAMED, UNKNOWN)],
        outcome=AuditEvent.Outcome.REFUSED,
        detail=detail,
    )
