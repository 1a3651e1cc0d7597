"""The state of each deployment, and each person's user in Airflow. Only this room writes these tables."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from airflow_bridge.capabilities import WHAT
from portal.catalogue.models import Deployment


class DeploymentState(models.Model):
    """The last known state of a deployment. Use `states.state_of` to read it: there may be no row yet."""

    class Status(models.TextChoices):
        UNKNOWN = "unknown", "not looked at yet"
        UP = "up", "up"
        DOWN = "down", "unreachable"
        NEEDS_REAUTHENTICATION = "needs_reauthentication", "needs re-authentication"

    deployment = models.OneToOneField(Deployment, on_delete=models.CASCADE, primary_key=True, related_name="state")
    status = models.CharField(max_length=24, choices=Status, default=Status.UNKNOWN)
    status_since = models.DateTimeField(null=True)
    status_detail = models.TextField(blank=True, default="")
    checked_at = models.DateTimeField(null=True, help_text="null: to be checked now")

    granter_refused = models.BooleanField(default=False, help_text="counts while the status is needs_reauthentication")
    runner_refused = models.BooleanField(default=False, help_text="counts while the status is needs_reauthentication")
    asks_to_wait = models.BooleanField(default=False, help_text="it accepted no calls at the last check (429)")
    waits_until = models.DateTimeField(null=True, help_text="until when it accepts none; null: it did not say")

    airflow_version = models.CharField(max_length=40, blank=True, default="")
    auth_manager = models.CharField(max_length=200, blank=True, default="")
    examined_at = models.DateTimeField(null=True, help_text="when capabilities and permissions were last read")
    missing = models.JSONField(default=dict, help_text="{capability: why it is missing}")
    granter_lacks = models.JSONField(null=True, help_text="[[permission, what for]]; null: not read yet")
    runner_lacks = models.JSONField(null=True, help_text="[[permission, what for]]; null: not read yet")
    health = models.JSONField(default=dict, help_text="{part: healthy, unhealthy or empty}")
    rate_limits = models.JSONField(default=dict, help_text="{account: {limit, remaining, reset} or null}")
    clock_ahead = models.FloatField(null=True, help_text="seconds by which its clock is ahead of the database's")

    def __str__(self) -> str:
        return f"state of {self.deployment}"

    def refuses(self, account: str) -> bool:
        """Whether Airflow refuses one of Gatehouse's accounts ("granter", "runner")."""
        refused = self.granter_refused if account == "granter" else self.runner_refused
        return self.status == self.Status.NEEDS_REAUTHENTICATION and refused

    def can_be_worked_on(self, account: str) -> bool:
        """Whether operations of that account can be executed: Airflow is not down and does not refuse the account."""
        return self.status != self.Status.DOWN and not self.refuses(account)

    @property
    def can(self) -> list[str]:
        """The capabilities of its API, in words; empty until they were read."""
        return [words for what, words in WHAT.items() if what not in self.missing] if self.examined_at else []

    @property
    def cannot(self) -> list[tuple[str, str]]:
        """The missing capabilities of its API, each with the reason, in words."""
        return [(words, self.missing[what]) for what, words in WHAT.items() if what in self.missing]

    @property
    def lacking(self) -> dict[str, list[list[str]]]:
        """The missing permissions by account; an account is left out until its permissions were read."""
        lacks = {"granter": self.granter_lacks, "runner": self.runner_lacks}
        return {account: found for account, found in lacks.items() if found is not None}


class AirflowAccount(models.Model):
    """A person's user in one Airflow. `username` is read from Airflow, never constructed."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="airflow_accounts")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="airflow_accounts")
    username = models.CharField(max_length=512)
    airflow_id = models.CharField(
        max_length=40, blank=True, default="", help_text="what stays the same when Airflow's user is renamed"
    )
    created_by_gatehouse = models.BooleanField(default=False)
    found_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint("person", "deployment", name="airflow_one_account_per_person"),
            models.UniqueConstraint("deployment", "username", name="airflow_one_person_per_account"),
        ]

    def __str__(self) -> str:
        return f"{self.username} on {self.deployment.name}"


class DagListing(models.Model):
    """When the list of an Airflow's DAGs was read; see `listings`."""

    airflow = models.CharField(max_length=200, primary_key=True, help_text="as portal.catalogue.airflows.key names it")
    tried_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, help_text="when the last complete list was asked for")
    problem = models.TextField(blank=True, default="", help_text="in words, why it could not be read the last time")

    def __str__(self) -> str:
        return f"list of the DAGs of {self.airflow}"


class ListedDag(models.Model):
    """A DAG in the list of an Airflow, with its tags."""

    airflow = models.CharField(max_length=200)
    dag_id = models.CharField(max_length=250)
    tags = models.JSONField(default=list)
    missing_since = models.DateTimeField(null=True, help_text="when a complete list first left it out")

    class Meta:
        constraints = [models.UniqueConstraint("airflow", "dag_id", name="airflow_dag_listed_once")]

    def __str__(self) -> str:
        return f"{self.dag_id} of {self.airflow}"
