"""Runs that people requested in the portal, and who is told of their end."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.approvals.models import Request
from portal.catalogue.models import Dag
from portal.core import clock, refs
from portal.dags.models.permits import Permit
from portal.operations.models import Operation


class Run(models.Model):
    """A DAG run that was requested in the portal. Its id in Airflow contains the uuid of its operation."""

    class Status(models.TextChoices):
        REQUESTED = "requested", "being sent to Airflow"
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCESS = "success", "succeeded"
        FAILED = "failed", "failed"

    FINAL = (Status.SUCCESS, Status.FAILED)

    dag = models.ForeignKey(Dag, on_delete=models.PROTECT, related_name="runs")
    operation = models.OneToOneField(Operation, on_delete=models.PROTECT, null=True, related_name="run")
    dag_run_id = models.CharField(max_length=250, unique=True)
    logical_date = models.DateTimeField()
    conf = models.JSONField(default=dict, help_text="as it is shown: secrets are hidden")
    sealed = models.TextField(blank=True, default="", help_text="all of conf, encrypted, until the run is started")
    digest = models.CharField(max_length=64, blank=True, default="", help_text="of the secrets in conf")
    note = models.CharField(max_length=600, blank=True, default="")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="runs")
    request = models.ForeignKey(
        Request, on_delete=models.PROTECT, null=True, related_name="runs", help_text="the approved request; null: none"
    )
    permit = models.ForeignKey(Permit, on_delete=models.PROTECT, null=True, related_name="runs")
    status = models.CharField(max_length=12, choices=Status, default=Status.REQUESTED)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True, help_text="when Airflow was last asked")
    next_look = models.DateTimeField(null=True, help_text="when Airflow is asked again; null: no more by itself")
    wanted_until = models.DateTimeField(
        null=True, help_text="somebody is looking at it, so its tasks are asked for too"
    )
    gone_at = models.DateTimeField(null=True, help_text="when Airflow was found to have it no more")
    remark = models.TextField(blank=True, default="", help_text="in words, what its end does not tell: nothing was run")
    error = models.TextField(blank=True, default="", help_text="why it never started, where it did not")
    key = models.CharField(
        max_length=64, null=True, help_text="of the form it was asked with: a double click is one run"
    )
    sent_again = False  # set by the action if the same form was sent before

    class Meta:
        ordering = ["-created_at", "-pk"]
        indexes = [
            models.Index(fields=["next_look"], condition=Q(next_look__isnull=False), name="dags_runs_to_look_at"),
            models.Index(fields=["dag", "-created_at"]),
            models.Index(fields=["requested_by", "-created_at"]),
        ]
        constraints = [models.UniqueConstraint("requested_by", "key", name="dags_one_run_per_form")]

    def __str__(self) -> str:
        return self.ref

    @property
    def ref(self) -> str:
        return refs.ref(refs.RUN, self.pk)

    @property
    def is_final(self) -> bool:
        return self.status in self.FINAL


class RunNotice(models.Model):
    """A person who wants to be told when a run has ended. The notice is shown while the run has ended and is unread."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="notices")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    read_at = models.DateTimeField(null=True, help_text="when the person marked it as read; null: it is wanted")

    class Meta:
        constraints = [models.UniqueConstraint("run", "person", name="dags_one_notice_per_run_and_person")]
        indexes = [models.Index(fields=["person"], condition=Q(read_at__isnull=True), name="dags_notices_unread")]

    def __str__(self) -> str:
        return f"notice of {self.run} for {self.person}"
