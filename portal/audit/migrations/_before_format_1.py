"""The trail before format 1: read, verified, and converted to the new format. Only for migration 0005.

An event had one text, `hash = SHA-256(hash of the event before + text)`, and columns for a deployment, a request, a
grant and an operation. Rows are read as text and by number, in batches, because somebody with rights on the database
may have written any value into them.
"""

# ruff: noqa: S608 - constants of this file only

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from portal.audit import references
from portal.audit.format import GENESIS, VERSION, canonical, new_salt
from portal.core import refs
from portal.core.text import fold

BATCH = 1000
SHOWN = 20
COLUMNS = {
    "actor": 150, "on_behalf_of": 150, "token": 100, "source": 64, "verb": 60, "outcome": 8, "target": 420,
    "deployment": 40, "request": 24, "grant": 24, "operation": 24,
}  # fmt: skip
KEPT_COLUMNS = ("actor", "on_behalf_of", "token", "source", "verb", "outcome", "target")
UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError)
ADDED = ("v", "about", "salt", "carried")
UNNAMED = {"session.open_refused": "unknown name", "token.use_refused": "unknown token"}
AT = {
    "sqlite": "CAST(at AS TEXT)",
    "postgresql": """CASE WHEN isfinite(at) THEN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')
        ELSE at::text END""",
}


@dataclass(frozen=True)
class Event:
    seq: int
    at: str
    columns: dict[str, str]
    search_text: str
    payload: str
    prev: str
    hash: str

    @cached_property
    def document(self) -> dict[str, Any] | None:
        """The parsed text, if it has every key of an old event; otherwise None."""
        return proper(self)


@dataclass
class Found:
    """What event 0 says about the old trail."""

    events: int = 0
    first: int = 1
    last: int = 0
    head: tuple[int, str] | None = None
    found: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def number_before(self) -> int:
        """The number of the event that names the old head: 0, unless somebody inserted an event before the first."""
        return min(self.first, 1) - 1

    def wrong(self, words: str) -> None:
        self.found += 1
        if self.found <= SHOWN:
            self.problems.append(words)

    def detail(self) -> dict[str, Any]:
        head = {"seq": self.head[0], "hash": self.head[1]} if self.head else None
        said = {"events": self.events, "first": self.first, "last": self.last, "head": head, "format": VERSION}
        return {
            **said,
            "verified": self.found == 0,
            **({"found": self.found, "problems": self.problems} if self.found else {}),
        }


def read(connection: Any, *, after: int | None = None) -> Iterator[list[Event]]:
    names = ", ".join(f'"{name}"' for name in COLUMNS)
    sql = f"SELECT seq, {AT[connection.vendor]}, search_text, payload, prev, chain, {names} FROM audit_auditevent"
    last = after
    with connection.cursor() as cursor:
        while True:
            where, params = ("", []) if last is None else ("WHERE seq > %s", [last])
            cursor.execute(f"{sql} {where} ORDER BY seq LIMIT {BATCH}", params)
            rows = cursor.fetchall()
            if not rows:
                return
            yield [_event(row) for row in rows]
            last = rows[-1][0]


def _event(row: tuple[Any, ...]) -> Event:
    seq, (at, texts, payload, prev, digest), columns = row[0], map(_as_text, row[1:6]), map(_as_text, row[6:])
    return Event(seq, at, dict(zip(COLUMNS, columns, strict=True)), texts, payload, prev, digest)


def _as_text(value: Any) -> str:
    """SQLite accepts any value in any column."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else "" if value is None else str(value)


def look(connection: Any) -> Found:
    """Verify the complete trail by the rules of its old format."""
    found = Found()
    last_seq, last_hash = 0, GENESIS
    for batch in read(connection):
        for event in batch:
            if not found.events:
                found.first = event.seq
            found.events += 1
            for words in (*_misplaced(event, last_seq, last_hash), *problems(event)):
                found.wrong(words)
            last_seq, last_hash = event.seq, event.hash
    found.last = last_seq
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq, chain FROM audit_audithead")
        head = cursor.fetchone()
    if head is None:
        found.wrong("The head of the chain is missing, so the length of the trail cannot be checked.")
        return found
    found.head = (head[0], _as_text(head[1]))
    if last_seq < head[0]:
        found.wrong(f"The end of the trail was cut off: {_events(last_seq + 1, head[0])} missing.")
    elif last_seq > head[0]:
        found.wrong(f"There are events beyond the head, which names {head[0]} as the last one.")
    elif last_hash != found.head[1]:
        found.wrong(f"The head does not name event {last_seq} as it is now.")
    return found


def _misplaced(event: Event, last_seq: int, last_hash: str) -> Iterator[str]:
    if event.seq < 1:
        yield f"An event has the number {event.seq}, which Gatehouse never gives."
    elif event.seq != last_seq + 1:
        yield f"The trail has a gap: {_events(last_seq + 1, event.seq - 1)} missing."
    elif event.prev != last_hash:
        yield f"Event {event.seq} does not follow event {last_seq} as it is now: the chain is broken between them."


def _events(first: int, last: int) -> str:
    return f"event {first} is" if first == last else f"events {first} to {last} are"


def problems(event: Event) -> Iterator[str]:
    """Errors of a single event."""
    try:
        right = hashlib.sha256(bytes.fromhex(event.prev) + event.payload.encode()).hexdigest()
    except ValueError:
        right = ""
    if event.hash != right:
        yield f"Event {event.seq} was changed: its hash does not match its text."
    if (document := event.document) is None:
        yield f"The text of event {event.seq} is not what Gatehouse writes."
        return
    names = list(differing(event, document))
    if names:
        yield f"The column {', '.join(names)} of event {event.seq} does not match its text."


def differing(event: Event, document: dict[str, Any]) -> Iterator[str]:
    for name, text in event.columns.items():
        if document[name] != text:
            yield name
    if moment(document["at"]) != moment(event.at):
        yield "at"
    if _search_text(document) != event.search_text:
        yield "search_text"


def proper(event: Event) -> dict[str, Any] | None:
    """The parsed text, if it has every key of an old event; otherwise None."""
    try:
        document = json.loads(event.payload)
        if canonical(document) != event.payload or document["seq"] != event.seq or moment(document["at"]) is None:
            return None
        fits = all(isinstance(document[name], str) and len(document[name]) <= most for name, most in COLUMNS.items())
        is_old_format = isinstance(document["detail"], dict) and not any(name in document for name in ADDED)
        return document if fits and is_old_format and not isinstance(document["seq"], bool) else None
    except UNREADABLE:
        return None


def moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def told(event: Event, fallback: datetime, *, verified: bool) -> dict[str, Any]:
    """The event in the new format: its old text and the new keys. An event that was changed without Gatehouse is kept
    unchanged and marked: with its old text, if that is not Gatehouse's, and with its old columns.

    verified: the complete trail is as Gatehouse wrote it.
    """
    document = json.loads(event.payload) if verified else event.document
    wrong = [] if verified else [*problems(event)]
    if document is None:
        at = moment(event.at) or fallback
        columns = {name: event.columns[name][:most] for name, most in COLUMNS.items()}
        new = {
            **columns,
            "seq": event.seq,
            "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "detail": {},
        }
    else:
        new = dict(document)
    new |= {"v": VERSION, "about": about(new), "salt": new_salt()}
    if wrong:
        kept = {"columns": {**event.columns, "at": event.at}, "prev": event.prev, "hash": event.hash}
        new["carried"] = {**kept, "problems": wrong, **({} if document else {"text": event.payload})}
    return new


def about(document: dict[str, Any]) -> list[str]:
    """References in this order: of each kind, first the one that the event changed, as the columns say."""
    detail, verb, target = document["detail"], document["verb"], document["target"]
    named = [document[name] for name in ("request", "grant", "operation")]
    if target == UNNAMED.get(verb) or (target == "several" and detail.get("reason") == "many"):
        named.append(refs.named(refs.UNNAMED, target))
    else:
        named.append(references.of_target(verb, target))
    if where := document["deployment"]:
        named.append(refs.deployment(where))
        if verb.startswith("run.") and _is_name(detail.get("dag")):
            named.append(refs.dag(f"{where}/{detail['dag']}"))
    if verb.startswith(("request.", "grant.")) and _is_name(detail.get("beneficiary")):
        named.append(refs.person(detail["beneficiary"]))
    if verb.startswith("token.") and _is_name(detail.get("owner")):
        named.append(refs.person(detail["owner"]))
    return list(dict.fromkeys(one[: references.LENGTH] for one in named if one))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 300


# as in portal.audit.searching at that time
_ESCAPES = re.compile(r"(?:\\u[0-9a-f]{4})+")


def _search_text(document: Any) -> str:
    return fold("\n".join(map(_readable, _texts(document))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name in sorted(value):
            yield from _texts(value[name])
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _readable(text: str) -> str:
    return _ESCAPES.sub(_unescaped, text) if "\\u" in text else text


def _unescaped(found: re.Match[str]) -> str:
    letters: str = json.loads(f'"{found[0]}"')
    return letters if letters.isprintable() else found[0]
