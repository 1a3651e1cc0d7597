"""Permits: approved allowances to run a DAG."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.approvals.models import Request
from portal.catalogue.models import Dag
from portal.core import clock, refs


class Permit(models.Model):
    """An approved allowance to run a DAG some times within bounds, without another approval."""

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        USED_UP = "used_up", "used up"
        EXPIRED = "expired", "expired"
        REVOKED = "revoked", "revoked"

    request = models.OneToOneField(Request, on_delete=models.PROTECT, related_name="permit")
    dag = models.ForeignKey(Dag, on_delete=models.PROTECT, related_name="permits")
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="permits")
    bounds_text = models.TextField(help_text="canonical JSON of the bounds, as approved")
    runs_allowed = models.PositiveIntegerField()
    used = models.PositiveIntegerField(default=0, help_text="runs that were started with it")
    status = models.CharField(max_length=8, choices=Status, default=Status.ACTIVE)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    end_comment = models.TextField(blank=True, default="", help_text="why it was revoked")
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(status="active"), name="dags_permits_expiring"),
            models.Index(fields=["holder", "dag", "status"]),
            models.Index(fields=["-created_at", "-id"], name="dags_permits_by_creation"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(used__lte=models.F("runs_allowed")), name="dags_permit_not_overused")
        ]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.PERMIT, self.pk)

    @property
    def bounds(self) -> dict[str, Any]:
        bounds: dict[str, Any] = json.loads(self.bounds_text)
        return bounds

    @property
    def left(self) -> int:
        return self.runs_allowed - self.used
