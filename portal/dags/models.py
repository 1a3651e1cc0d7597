"""Runs that people requested in the portal, and the last known state of operable DAGs."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from portal.approvals.models import Request
from portal.catalogue.models import Dag
from portal.core import clock, refs
from portal.dags import dates
from portal.operations.models import Operation


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
    conf_sha256 = models.CharField(max_length=64, help_text="see portal.dags.parameters.frozen")
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
    bounds_text = models.TextField(help_text="canonical JSON of the bounds, see portal.dags.permits.permit_bounds")
    runs_wanted = models.PositiveIntegerField()

    @property
    def bounds(self) -> dict[str, Any]:
        bounds: dict[str, Any] = json.loads(self.bounds_text)
        return bounds


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


class RunTasks(models.Model):
    """The last known tasks of a run: one row for each task. A mapped task has one row for all its instances."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="tasks")
    rows = models.JSONField(default=list, help_text="as portal.dags.tasks.summary makes them")
    problem = models.TextField(blank=True, default="", help_text="in words, why they could not be read the last time")
    seen_at = models.DateTimeField(null=True, help_text="when they were read")
    results = models.JSONField(default=list, help_text="[{name, value, problem}] of the XComs that the catalogue names")
    results_at = models.DateTimeField(null=True, help_text="the end of the run for which they were read")
    log_at = models.DateTimeField(null=True, help_text="the end of the run for which the log of the error was read")

    def __str__(self) -> str:
        return f"tasks of {self.run}"


class DagState(models.Model):
    """The last known state of an operable DAG. Pages and the API read this row and never call Airflow."""

    dag = models.OneToOneField(Dag, on_delete=models.CASCADE, related_name="state")
    known = models.BooleanField(default=False, help_text="Airflow has such a DAG and can run it")
    problem = models.TextField(blank=True, default="", help_text="in words, why it cannot be run")
    description = models.TextField(blank=True, default="")
    paused = models.BooleanField(null=True)
    switch = models.ForeignKey(
        Operation, on_delete=models.PROTECT, null=True, related_name="+",
        help_text="by which it is paused or not; null where that was changed in Airflow, or never",
    )  # fmt: skip
    switched_at = models.DateTimeField(null=True, help_text="when it was seen to be so")
    unpause_at = models.DateTimeField(null=True, help_text="when Gatehouse unpauses it; null: never by itself")
    params = models.JSONField(null=True, help_text="{name: {value, schema}}; null: not told yet")
    schedule = models.TextField(blank=True, default="")
    tags = models.JSONField(default=list)
    owners = models.JSONField(default=list)
    next_run_at = models.DateTimeField(null=True, help_text="when the schedule creates the next run")
    start_date = models.DateTimeField(null=True)
    end_date = models.DateTimeField(null=True)
    max_active_runs = models.PositiveIntegerField(null=True, help_text="how many of its runs Airflow executes at once")
    catchup = models.BooleanField(null=True, help_text="whether Airflow makes up for the runs that it missed")
    last_runs = models.JSONField(default=list, help_text="newest first: [{id, state, started_at, ended_at}]")
    secrets = models.JSONField(null=True, help_text="where its parameters take secrets; null: Airflow has not told")
    runs_seen_at = models.DateTimeField(null=True, help_text="when `last_runs` were read")
    runs_problem = models.TextField(blank=True, default="", help_text="in words, why its runs could not be read")
    seen_at = models.DateTimeField()
    is_wanted = models.BooleanField(default=False, help_text="somebody looks at it: it is read before the others")

    def __str__(self) -> str:
        return f"state of {self.dag}"

    @property
    def params_in_order(self) -> dict[str, Any]:
        """The parameters in the order in which the DAG declares them; empty if they were never read."""
        return dict(sorted((self.params or {}).items(), key=lambda item: item[1].get("place", 0)))

    @property
    def warning(self) -> str:
        """In words, why a run started now would execute no tasks; empty if it would, as far as is known."""
        if why := dates.outside(clock.now(), self.start_date, self.end_date):
            return f"{why} Airflow would end a run started now as a success without running any task."
        return ""


class TaskLog(models.Model):
    """The log of one attempt of a task: the lines around its error, and for some time all of it in parts."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="logs")
    task_id = models.CharField(max_length=250)
    map_index = models.IntegerField(default=-1)
    try_number = models.PositiveIntegerField()
    excerpt = models.JSONField(default=list, help_text="lines around the first error, or the last lines")
    excerpt_from = models.PositiveIntegerField(default=0, help_text="number of the first line of the excerpt")
    error_at = models.PositiveIntegerField(null=True, help_text="number of the line with the error; null: none")
    lines = models.PositiveIntegerField(default=0, help_text="of the whole log, as far as it was read")
    cut = models.BooleanField(default=False, help_text="the log was too long to be read to its end")
    ended = models.BooleanField(default=False, help_text="the attempt had ended when the log was read")
    problem = models.TextField(blank=True, default="", help_text="in words, why it could not be read the last time")
    read_at = models.DateTimeField(null=True)
    kept_until = models.DateTimeField(null=True, help_text="when the parts are deleted; null: there are none")

    class Meta:
        constraints = [
            models.UniqueConstraint("run", "task_id", "map_index", "try_number", name="dags_one_log_per_attempt")
        ]
        indexes = [
            models.Index(fields=["kept_until"], condition=Q(kept_until__isnull=False), name="dags_logs_kept"),
        ]

    def __str__(self) -> str:
        return f"log of {self.task_id}, try {self.try_number}, of {self.run}"


class TaskLogPart(models.Model):
    """Some lines of a log, compressed. The parts of a log are deleted some time after the last person viewed it."""

    log = models.ForeignKey(TaskLog, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    first_line = models.PositiveIntegerField()
    text = models.BinaryField(help_text="lines in UTF-8, compressed by zlib")

    class Meta:
        constraints = [models.UniqueConstraint("log", "number", name="dags_one_log_part_per_number")]

    def __str__(self) -> str:
        return f"part {self.number} of {self.log}"


class WaitingTask(models.Model):
    """A task of an operable DAG that waits for a person's answer in Airflow (Airflow 3.1 or newer)."""

    dag = models.ForeignKey(Dag, on_delete=models.CASCADE, related_name="waiting_tasks")
    dag_run_id = models.CharField(max_length=250)
    task_id = models.CharField(max_length=250)
    map_index = models.IntegerField(default=-1)
    subject = models.TextField()
    options = models.JSONField(default=list)
    assigned = models.JSONField(default=list, help_text="the Airflow users who alone may answer; empty: anybody")
    since = models.DateTimeField(default=clock.now, help_text="when Gatehouse first saw it")

    class Meta:
        ordering = ["since", "pk"]
        constraints = [
            models.UniqueConstraint("dag", "dag_run_id", "task_id", "map_index", name="dags_one_waiting_task")
        ]

    def __str__(self) -> str:
        return f"{self.task_id} of {self.dag_run_id}"
