"""The outbox: intended changes to Airflow, each tried by a worker until it succeeds, fails or is cancelled."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from portal.catalogue.models import Deployment
from portal.core import clock, refs
from portal.operations import kinds


class Operation(models.Model):
    """One intended change. Workers read it from this row; a message of the broker only makes them look sooner."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"
        SUPERSEDED = "superseded", "superseded"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=40, help_text="registered in portal.operations.kinds")
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="operations")
    subject = models.CharField(max_length=300, help_text="what it is for: GR-7, RUN-5, demo/sales_report")
    ordering_key = models.CharField(
        max_length=500,
        help_text="operations with one key run one at a time: a person's roles, a DAG's pause switch",
    )
    payload = models.JSONField(default=dict)
    requested_by = models.CharField(max_length=150, blank=True, default="")

    attempts = models.PositiveIntegerField(default=0)
    failures = models.PositiveIntegerField(
        default=0, help_text="attempts that count: those that met an outage or were asked to wait do not"
    )
    alarmed_at = models.DateTimeField(null=True, help_text="when it was told that a removal does not succeed")
    not_before = models.DateTimeField()
    waiting_for = models.TextField(blank=True, default="", help_text="in words, why it is not done yet")
    claimed_by = models.CharField(max_length=120, blank=True, default="", help_text="the id of a process")
    lease_until = models.DateTimeField(null=True)

    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["not_before"], condition=Q(status="queued"), name="operations_due"),
            models.Index(fields=["lease_until"], condition=Q(status="running"), name="operations_leased"),
            models.Index(fields=["subject"]),
        ]
        constraints = [
            models.UniqueConstraint(
                "ordering_key", condition=Q(status="running"), name="operations_one_running_per_key"
            ),
            models.CheckConstraint(
                condition=Q(status="running", lease_until__isnull=False) | ~Q(status="running"),
                name="operations_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], settled_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "cancelled", "superseded"], settled_at__isnull=False),
                name="operations_settled_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def account(self) -> str:
        """Which of Gatehouse's two accounts executes it in Airflow; empty for a kind that no room registers."""
        kind = kinds.find(self.kind)
        return kind.account if kind else ""

    @property
    def label(self) -> str:
        """The kind in words."""
        kind = kinds.find(self.kind)
        return kind.label if kind else self.kind

    @property
    def ref(self) -> str:
        return refs.ref(refs.OPERATION, self.pk)

    @property
    def is_settled(self) -> bool:
        return self.settled_at is not None


class Process(models.Model):
    """One start of one process of the portal, and its last heartbeat. Written by portal.core.heartbeat."""

    id = models.CharField(max_length=32, primary_key=True)
    name = models.CharField(max_length=16, help_text="web, worker, beat")
    host = models.CharField(max_length=120, help_text="for people: several may have the same")
    pid = models.PositiveIntegerField()
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, help_text="when it ended, or was found to have ended")
    ahead_ms = models.IntegerField(default=0, help_text="how far its host's clock is ahead of the database's")

    class Meta:
        indexes = [models.Index(fields=["name", "seen_at"], condition=Q(ended_at=None), name="operations_living")]

    def __str__(self) -> str:
        return f"{self.name} on {self.host} (process {self.pid})"


class Turn(models.Model):
    """A named lock with a time limit; see `portal.operations.turns`."""

    name = models.CharField(max_length=80, primary_key=True)
    held_by = models.CharField(max_length=32, help_text="the id of a process")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
