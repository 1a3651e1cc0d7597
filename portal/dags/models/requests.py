"""Requests of people for runs and permits."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.approvals.models import Request
from portal.catalogue.models import Dag


class RunRequest(Request):
    """A request for one run of a DAG. Its parameters are frozen when it is sent. They change only if an approver
    returns it. `start_status` tells what became of the run's start."""

    class Start(models.TextChoices):
        WAITING = "waiting", "waiting for the approval"
        SCHEDULED = "scheduled", "starts later"
        STARTED = "started", "started"
        NOT_STARTED = "not_started", "not started"
        CANCELLED = "cancelled", "cancelled before the start"

    dag = models.ForeignKey(Dag, on_delete=models.PROTECT, related_name="run_requests")
    conf_text = models.TextField(help_text="canonical JSON of the parameters as they are shown: secrets are hidden")
    conf_sha256 = models.CharField(max_length=64, help_text="of the canonical text and the digest of the secrets")
    sealed = models.TextField(blank=True, default="", help_text="all parameters, encrypted, until the run is created")
    digest = models.CharField(max_length=64, blank=True, default="", help_text="of the secrets in the parameters")
    note = models.CharField(max_length=600, blank=True, default="")
    start_at = models.DateTimeField(null=True, help_text="empty: as soon as approved")
    start_status = models.CharField(max_length=12, choices=Start, default=Start.WAITING)
    start_settled_at = models.DateTimeField(null=True, help_text="when it was started, given up or cancelled")
    start_problem = models.TextField(blank=True, default="", help_text="in words, why it was not started or cancelled")
    start_cancelled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )

    class Meta:
        indexes = [models.Index(fields=["start_at"], condition=Q(start_status="scheduled"), name="dags_starts_due")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(start_status="scheduled") | Q(start_at__isnull=False), name="dags_scheduled_has_start"
            ),
            models.CheckConstraint(
                condition=~Q(start_status="not_started") | ~Q(start_problem=""), name="dags_not_started_says_why"
            ),
        ]

    @property
    def conf(self) -> dict[str, Any]:
        """The parameters as they may be shown."""
        conf: dict[str, Any] = json.loads(self.conf_text)
        return conf


class PermitRequest(Request):
    """A request for a permit: some runs of a DAG within bounds, for a limited time."""

    dag = models.ForeignKey(Dag, on_delete=models.PROTECT, related_name="permit_requests")
    bounds_text = models.TextField(help_text="canonical JSON of the bounds")
    runs_wanted = models.PositiveIntegerField()

    @property
    def bounds(self) -> dict[str, Any]:
        bounds: dict[str, Any] = json.loads(self.bounds_text)
        return bounds
