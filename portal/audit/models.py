"""The trail: one append-only table, the references of its events, and the head of its chain."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from django.db import DataError, models

from portal.audit import references
from portal.core import refs

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, DataError)
"""Exceptions that reading a row or an event may raise if Gatehouse did not write it."""


class AuditEvent(models.Model):
    """One event (portal.audit.format). `payload` is the canonical JSON text that is hashed. The columns before it and
    the rows of AuditReference are copies of its values for searching. Verifying compares them.

    No foreign keys: an event outlives the rows that it names, so it keeps references and names as text.
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
        """The parsed payload; empty if it cannot be parsed, which verifying reports."""
        return document_of(self.payload)

    @property
    def detail(self) -> dict[str, Any]:
        """The event's further data, which no column has."""
        return detail_of(self.document)

    @property
    def about(self) -> list[str]:
        """References to everything that the event is about, including its target."""
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
    """One thing that one event is about: a copy from the payload, for finding events."""

    pk = models.CompositePrimaryKey("seq", "reference")
    seq = models.BigIntegerField()
    reference = models.CharField(max_length=references.LENGTH)

    class Meta:
        indexes = [models.Index(fields=["reference", "-seq"])]

    def __str__(self) -> str:
        return f"#{self.seq} {self.reference}"


def document_of(payload: str) -> dict[str, Any]:
    """The parsed text of an event; empty if it cannot be parsed."""
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
    """The last event's number and chain. Writers queue for this row's lock, and hold it only during the commit."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField()
    chain = models.CharField(max_length=64)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="audit_one_head")]

    def __str__(self) -> str:
        return f"head at {self.seq}"


class RepeatedRefusal(models.Model):
    """Refusals of one kind within a short time. The first is already an event; the others are counted here."""

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
