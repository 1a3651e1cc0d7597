"""The last known tasks, results and logs of runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from portal.dags.models.runs import Run


class RunTasks(models.Model):
    """The last known tasks of a run: one row for each task. A mapped task has one row for all its instances."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="tasks")
    rows = models.JSONField(default=list, help_text="{id, states, tries, ...} of each task")
    problem = models.TextField(blank=True, default="", help_text="in words, why they could not be read the last time")
    seen_at = models.DateTimeField(null=True, help_text="when they were read")
    results = models.JSONField(default=list, help_text="[{name, value, problem}] of the XComs that the catalogue names")
    results_at = models.DateTimeField(null=True, help_text="the end of the run for which they were read")
    log_at = models.DateTimeField(null=True, help_text="the end of the run for which the log of the error was read")

    def __str__(self) -> str:
        return f"tasks of {self.run}"


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
