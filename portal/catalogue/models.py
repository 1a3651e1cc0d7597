"""The catalogue in force as tables. Only `catalogue apply` writes them."""

from __future__ import annotations

from django.db import models


class CatalogueVersion(models.Model):
    """One applied gatehouse.toml. A request keeps the number of the version under which it was made."""

    number = models.PositiveIntegerField(primary_key=True)
    sha256 = models.CharField(max_length=64)
    source = models.TextField(help_text="the file's text, byte for byte")
    document = models.JSONField(help_text="the same, parsed and with defaults filled in; see catalogue/document.py")
    applied_at = models.DateTimeField(auto_now_add=True)
    applied_by = models.CharField(max_length=150)

    def __str__(self) -> str:
        return f"catalogue version {self.number}"


class Deployment(models.Model):
    """One Airflow installation. `accounts`: how to sign in (names of secrets, never secrets)."""

    class Api(models.TextChoices):
        V1 = "v1", "Airflow 2"
        V2 = "v2", "Airflow 3"

    class CreateUsers(models.TextChoices):
        NEVER = "never", "never"
        LOCAL = "local", "local accounts"

    name = models.SlugField(max_length=40, unique=True)
    url = models.CharField(max_length=300)
    api = models.CharField(max_length=2, choices=Api)
    accounts = models.JSONField(default=dict, help_text='{"granter": {...}, "runner": {...}}')
    create_users = models.CharField(max_length=8, choices=CreateUsers, default=CreateUsers.NEVER)
    options = models.JSONField(default=dict, help_text="ca_bundle, allow_plain_http, max_concurrent")
    variables = models.JSONField(default=list, help_text="[{key, schema, description, who, policy}]: Airflow variables")
    read_only = models.BooleanField(default=False, help_text="nothing is changed in it; operations wait")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Entitlement(models.Model):
    """Something that can be requested: an Airflow role, or access to one DAG through a role that Gatehouse creates."""

    class Kind(models.TextChoices):
        ROLE = "role", "Airflow role"
        DAG = "dag", "access to a DAG"

    class Level(models.TextChoices):
        VIEW = "view", "view"
        OPERATE = "operate", "operate"

    class Risk(models.TextChoices):
        LOW = "low", "low"
        MEDIUM = "medium", "medium"
        HIGH = "high", "high"

    key = models.CharField(max_length=400, unique=True, help_text="demo/role/Op, demo/dag/sales_report/operate")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="entitlements")
    kind = models.CharField(max_length=4, choices=Kind)
    role = models.CharField(max_length=64, help_text="the Airflow role that carries it out")
    dag_id = models.CharField(max_length=250, blank=True, default="")
    level = models.CharField(max_length=8, choices=Level, blank=True, default="")
    title = models.CharField(max_length=200)
    description = models.TextField(blank=True, default="")
    risk = models.CharField(max_length=6, choices=Risk)
    max_duration = models.DurationField()
    policy = models.CharField(max_length=80, help_text="name of the policy in the version in force")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["key"]
        indexes = [models.Index(fields=["deployment", "role"])]

    def __str__(self) -> str:
        return self.key


class Dag(models.Model):
    """A DAG that people may operate through the portal."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="dags")
    dag_id = models.CharField(max_length=250)
    entry = models.CharField(
        max_length=400,
        default="",
        help_text="the entry that covers it: demo/sales_report, demo/sales_*, demo/tag:x",
    )
    actions = models.JSONField(default=list, help_text='of "trigger", "pause", "retry", "cancel", "logs"')
    who = models.JSONField(default=list, help_text="subjects who may act at once")
    policy = models.CharField(max_length=80, blank=True, default="", help_text="by which others may ask")
    locked = models.JSONField(default=dict, help_text="parameters nobody may change")
    bounds = models.JSONField(default=dict, help_text="{parameter: JSON Schema keywords}, besides the DAG's own")
    undeclared = models.BooleanField(default=False, help_text="whether parameters it does not declare are accepted")
    requester_param = models.CharField(
        max_length=250, blank=True, default="", help_text="the parameter that holds the user name"
    )
    results = models.JSONField(default=list, help_text="XComs shown on a run's page, each as task.key")
    max_runs_per_hour = models.PositiveIntegerField(null=True)
    one_at_a_time = models.BooleanField(default=False)
    freeze = models.JSONField(default=list, help_text="[{from, until, except, why}]; see freezes.span")
    retired_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["deployment__name", "dag_id"]
        constraints = [models.UniqueConstraint("deployment", "dag_id", name="catalogue_dag_once_per_deployment")]

    def __str__(self) -> str:
        return f"{self.deployment.name}/{self.dag_id}"
