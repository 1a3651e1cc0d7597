"""The trail: one append-only table and the head of its chain."""

from __future__ import annotations

import json
from typing import Any

from django.db import DataError, models

UNREADABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError, DataError)
"""What reading a row or an event may raise that Gatehouse did not write."""


class AuditEvent(models.Model):
    """One entry. `payload` is the canonical JSON that is hashed; the other columns are projections of it for searching.

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
    deployment = models.CharField(max_length=40, blank=True, default="")
    request = models.CharField(max_length=24, blank=True, default="")
    grant = models.CharField(max_length=24, blank=True, default="")
    operation = models.CharField(max_length=24, blank=True, default="")
    search_text = models.TextField(default="", help_text="the texts of the payload, folded (portal.audit.searching)")
    payload = models.TextField()
    prev = models.CharField(max_length=64)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["-seq"]
        indexes = [
            models.Index(fields=["actor", "-seq"]),
            models.Index(fields=["verb", "-seq"]),
            models.Index(fields=["target", "-seq"]),
            models.Index(fields=["request", "-seq"]),
            models.Index(fields=["grant", "-seq"]),
            models.Index(fields=["operation", "-seq"]),
            models.Index(fields=["at"]),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.verb} {self.target}"

    @property
    def detail(self) -> dict[str, Any]:
        """What the event says beyond its columns; empty where its text cannot be read, which verifying reports."""
        return detail_of(self.payload)


def detail_of(payload: str) -> dict[str, Any]:
    """The detail in the text of an event; empty where there is none that can be read."""
    try:
        found = json.loads(payload)["detail"]
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


class AuditHead(models.Model):
    """The last event's number and hash. Its row lock is what puts writers in a line, held only over the commit."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    seq = models.BigIntegerField()
    hash = models.CharField(max_length=64)

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
