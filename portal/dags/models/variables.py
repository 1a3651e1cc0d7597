"""Airflow's variables: requests to change one, and their last known values."""

from __future__ import annotations

from django.db import models

from portal.approvals.models import Request
from portal.catalogue.models import Deployment
from portal.operations.models import Operation


class VariableRequest(Request):
    """A request to change a variable to exactly this value."""

    key = models.CharField(max_length=250, help_text="the variable's name in Airflow")
    value = models.TextField(help_text="the new value, as Airflow stores it")
    operation = models.OneToOneField(
        Operation, on_delete=models.PROTECT, null=True, related_name="variable_request", help_text="null: not approved"
    )


class VariableState(models.Model):
    """The last known value of an offered variable. Pages and the API read this row and never call Airflow."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="variable_states")
    key = models.CharField(max_length=250)
    value = models.TextField(null=True, help_text="secrets are hidden; null: Airflow does not have the variable")
    description = models.TextField(blank=True, default="", help_text="as Airflow has it")
    operation = models.ForeignKey(
        Operation, on_delete=models.PROTECT, null=True, related_name="+",
        help_text="which set this value; null if it was set in Airflow",
    )  # fmt: skip
    problem = models.TextField(blank=True, default="", help_text="in words, why it could not be read the last time")
    seen_at = models.DateTimeField(null=True, help_text="when it was last read; null: never")
    tried_at = models.DateTimeField(help_text="when reading was last tried")

    class Meta:
        constraints = [models.UniqueConstraint("deployment", "key", name="dags_one_state_per_variable")]

    def __str__(self) -> str:
        return f"{self.deployment.name}/variable/{self.key}"
