"""Events of an earlier format, converted by a migration (audit/migrations/0005).

Such a trail begins with event 0, which names the head of the old chain. A converted event keeps its number, time and
text, and its payload contains everything of the old text. So the old chain can still be computed. If the old trail had
errors, event 0 says so, and every later verification repeats it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from portal.audit.format import GENESIS, canonical
from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.verbs import Verb

NEW = ("v", "about", "salt", "carried")
"""Keys of a converted event's payload that the old text did not have. `carried`: a text that was not Gatehouse's."""


def begins(event: AuditEvent) -> bool:
    """Whether this event is the event 0 of a converted trail. Other trails begin with event 1."""
    return event.seq < 1 and event.verb == Verb.AUDIT_FORMAT_CHANGED


def text_before(document: dict[str, Any]) -> str:
    """The text that the event had in the old format. Raises TypeError if it was not a converted event."""
    before = document.get("carried") or {}
    if "text" in before:
        return str(before["text"])
    return canonical({name: value for name, value in document.items() if name not in NEW})


class OldChain:
    """Computes the chain of the old trail again while the converted events are read."""

    def __init__(self, event: AuditEvent) -> None:
        said = event.detail
        self.named_by = event.seq
        head = said.get("head")
        self.head: dict[str, Any] = head if isinstance(head, dict) else {}
        self.events, self.last = said.get("events"), said.get("last")
        self.verified, self.problems = said.get("verified"), said.get("problems")
        self.seen, self.chain = 0, GENESIS

    def add(self, event: AuditEvent) -> None:
        if not isinstance(self.last, int) or event.seq > self.last:
            return
        self.seen += 1
        try:
            text = text_before(event.document)
            self.chain = hashlib.sha256(bytes.fromhex(self.chain) + text.encode()).hexdigest()
        except UNREADABLE:
            self.chain = GENESIS

    def differences(self) -> Iterator[str]:
        """Errors in the converted events, in words."""
        if self.verified is not True:
            first = self.problems[0] if isinstance(self.problems, list) and self.problems else ""
            yield f"Changes were found when the trail was converted to a new format (event {self.named_by}): {first}"
        elif self.seen != self.events or self.chain != self.head.get("hash"):
            yield (
                f"The events converted from the old format do not give the hash of its last event, "
                f"which event {self.named_by} names."
            )
