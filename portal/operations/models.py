"""The outbox: intended changes to Airflow, each executed by a worker until it is done or given up."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import Q

from portal import clock, refs
from portal.catalogue.models import Deployment


class Operation(models.Model):
    """One intended change. The row is the truth; a message on the broker is only a hint that it exists."""

    class Kind(models.TextChoices):
        GRANT_ROLE = "grant_role", "give a role"
        REVOKE_ROLE = "revoke_role", "take a role away"
        TRIGGER_RUN = "trigger_run", "start a run"
        PAUSE_DAG = "pause_dag", "pause a DAG"
        UNPAUSE_DAG = "unpause_dag", "unpause a DAG"
        SET_VARIABLE = "set_variable", "change a variable"

    KINDS_OF = {
        "granter": (Kind.GRANT_ROLE, Kind.REVOKE_ROLE),
        "runner": (Kind.TRIGGER_RUN, Kind.PAUSE_DAG, Kind.UNPAUSE_DAG, Kind.SET_VARIABLE),
    }
    """By the account that does them in Airflow."""

    class Status(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    uuid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=16, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.QUEUED)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="operations")
    subject = models.CharField(max_length=300, help_text="what it is for: GR-7, RUN-5, demo/sales_report")
    lane = models.CharField(
        max_length=300, help_text="operations of one lane run one at a time: a person's roles, a DAG's pause switch"
    )
    payload = models.JSONField(default=dict)
    requested_by = models.CharField(max_length=150, blank=True, default="")

    attempts = models.PositiveIntegerField(default=0)
    not_before = models.DateTimeField()
    waiting_for = models.TextField(blank=True, default="", help_text="in words, why it is not done yet")
    claimed_by = models.CharField(max_length=120, blank=True, default="")
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
            models.UniqueConstraint("lane", condition=Q(status="running"), name="operations_one_running_per_lane"),
            models.CheckConstraint(
                condition=Q(status="running", lease_until__isnull=False) | ~Q(status="running"),
                name="operations_running_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(status__in=["queued", "running"], settled_at__isnull=True)
                | Q(status__in=["succeeded", "failed", "cancelled"], settled_at__isnull=False),
                name="operations_settled_has_time",
            ),
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def account(self) -> str:
        """Which of Gatehouse's two accounts does it in Airflow."""
        return next(account for account, kinds in self.KINDS_OF.items() if self.kind in kinds)

    @property
    def ref(self) -> str:
        return refs.ref(refs.OPERATION, self.pk)

    @property
    def is_settled(self) -> bool:
        return self.settled_at is not None
