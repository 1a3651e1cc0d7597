"""The last known state of operable DAGs, and their tasks that wait for a person."""

from __future__ import annotations

from typing import Any

from django.db import models

from portal.catalogue.models import Dag
from portal.core import clock
from portal.dags import dates
from portal.operations.models import Operation


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
