"""Events of an earlier format, carried over by a migration (audit/migrations/0005).

The trail then begins with event 0, which names the head of the old chain. A carried event keeps its number, time and
words, and its payload has what the old text had, so the old chain can still be computed. Where the old trail did not
verify, event 0 says so, and verifying goes on saying it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from portal.audit.format import GENESIS, canonical
from portal.audit.models import UNREADABLE, AuditEvent
from portal.audit.verbs import Verb

NEW = ("v", "about", "salt", "carried")
"""What the payload of a carried event has more than its old text; the whole old text where that was no proper one."""


def begins(event: AuditEvent) -> bool:
    """Whether this, the first event of a trail, tells of a trail that was carried over. Others begin with event 1."""
    return event.seq < 1 and event.verb == Verb.AUDIT_FORMAT_CHANGED


def text_before(document: dict[str, Any]) -> str:
    """The text that the event had in the old format. Raises TypeError for what is no such event."""
    before = document.get("carried") or {}
    if "text" in before:
        return str(before["text"])
    return canonical({name: value for name, value in document.items() if name not in NEW})


class OldChain:
    """Computes the chain of the old trail again while the events that came from it are read."""

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
        """What is wrong with the events carried over, in words."""
        if self.verified is not True:
            first = self.problems[0] if isinstance(self.problems, list) and self.problems else ""
            yield f"Changes were found when the trail got a new format (event {self.named_by}): {first}"
        elif self.seen != self.events or self.chain != self.head.get("hash"):
            yield (
                f"The events carried over from the old format do not give the hash of its last event, "
                f"which event {self.named_by} names."
            )
