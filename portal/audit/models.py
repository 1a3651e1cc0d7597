"""The trail: one append-only table, what its events are about, and the head of its chain."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.db import DataError, models

from portal.audit import references
from portal.core import refs

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, DataError)
"""What reading a row or an event may raise that Gatehouse did not write."""


class AuditEvent(models.Model):
    """One entry (portal.audit.format). `payload` is the canonical JSON that is hashed; the columns before it are
    projections of it for searching, and so are its rows of AuditReference. Verifying compares them.

    No foreign keys: an event must outlive what it speaks of, so it keeps references and names as text.
    """

    class Outcome(models.TextChoices):
        SUCCESS = "success", "done"
        REFUSED = "refused", "refused"
        FAILED = "failed", "failed"

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    on_behalf_of = models.CharField(max_length=150, blank=True, default="")
    token = models.CharField(max_length=100, blank=True, default="")
    source = models.CharField(max_length=64, blank=True, default="", help_text="network address")
    verb = models.CharField(max_length=60)
    outcome = models.CharField(max_length=8, choices=Outcome)
    target = models.CharField(max_length=420)
    search_text = models.TextField(default="", help_text="the texts of the payload, folded (portal.audit.searching)")
    payload = models.TextField()
    prev = models.CharField(max_length=64, help_text="the chain of the event before")
    leaf = models.CharField(max_length=64, help_text="digest of the payload")
    chain = models.CharField(max_length=64, unique=True, help_text="digest of prev and leaf")

    class Meta:
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["actor", "-seq"]),
            models.Index(fields=["verb", "-seq"]),
            models.Index(fields=["target", "-seq"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.verb} {self.target}"

    @cached_property
    def document(self) -> dict[str, Any]:
        """The payload, read; empty where it cannot be read, which verifying reports."""
        return document_of(self.payload)

    @property
    def detail(self) -> dict[str, Any]:
        """What the event says beyond its columns."""
        return detail_of(self.document)

    @property
    def about(self) -> list[str]:
        """References to all that the event is about, its target included."""
        return about_of(self.document)

    @property
    def deployment(self) -> str:
        return refs.name_of(references.first(self.about, refs.DEPLOYMENT))

    @property
    def request(self) -> str:
        return references.first(self.about, refs.REQUEST)

    @property
    def grant(self) -> str:
        return references.first(self.about, refs.GRANT)

    @property
    def operation(self) -> str:
        return references.first(self.about, refs.OPERATION)


class AuditReference(models.Model):
    """One thing that one event is about: a projection of the payload, for finding the events about it."""

    pk = models.CompositePrimaryKey("seq", "reference")
    seq = models.BigIntegerField()
    reference = models.CharField(max_length=references.LENGTH)

    class Meta:
        indexes = [models.Index(fields=["reference", "-seq"])]

    def __str__(self) -> str:
        return f"#{self.seq} {self.reference}"


def document_of(payload: str) -> dict[str, Any]:
    """The text of an event, read; empty where it is none that can be read."""
    try:
        found = json.loads(payload)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def detail_of(document: dict[str, Any]) -> dict[str, Any]:
    found = document.get("detail")
    return found if isinstance(found, dict) else {}


def about_of(document: dict[str, Any]) -> list[str]:
    found = document.get("about")
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []


class AuditHead(models.Model):
    """The last event's number and chain. Its row lock is what puts writers in a line, held only over the commit."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField()
    chain = models.CharField(max_length=64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_one_head")]

    def __str__(self) -> str:
        return f"head at {self.seq}"


class RepeatedRefusal(models.Model):
    """Refusals of one kind within a short time: the first one is an event already, the others are counted here."""

    key = models.CharField(max_length=64, unique=True, help_text="digest of who, verb, target and reason")
    who = models.CharField(max_length=220, help_text="by a person, or from a network address")
    entry = models.JSONField(help_text="the first refusal, as its event has it")
    opened_at = models.DateTimeField()
    last_at = models.DateTimeField()
    repeats = models.PositiveIntegerField(default=0, help_text="refusals after the first that are no event yet")

    class Meta:
        indexes = [models.Index(fields=["who", "opened_at"]), models.Index(fields=["opened_at"])]

    def __str__(self) -> str:
        return f"{self.repeats} more since {self.opened_at:%H:%M:%S} {self.who}"
