import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("catalogue", "0003_account_ids"),
    ]

    operations = [
        migrations.CreateModel(
            name="DeploymentState",
            fields=[
                (
                    "deployment",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="state",
                        serialize=False,
                        to="catalogue.deployment",
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("unknown", "not looked at yet"),
                            ("up", "up"),
                            ("down", "unreachable"),
                            ("needs_reauthentication", "needs re-authentication"),
                        ],
                        default="unknown",
                        max_length=24,
                    ),
                ),
                ("status_since", models.DateTimeField(null=True)),
                ("status_detail", models.TextField(blank=True, default="")),
                ("checked_at", models.DateTimeField(help_text="null: to be checked now", null=True)),
                (
                    "granter_refused",
                    models.BooleanField(default=False, help_text="counts while the status is needs_reauthentication"),
                ),
                (
                    "runner_refused",
                    models.BooleanField(default=False, help_text="counts while the status is needs_reauthentication"),
                ),
                (
                    "asks_to_wait",
                    models.BooleanField(default=False, help_text="it accepted no calls at the last check (429)"),
                ),
                (
                    "waits_until",
                    models.DateTimeField(help_text="until when it accepts none; null: it did not say", null=True),
                ),
                ("airflow_version", models.CharField(blank=True, default="", max_length=40)),
                ("auth_manager", models.CharField(blank=True, default="", max_length=200)),
                (
                    "examined_at",
                    models.DateTimeField(help_text="when capabilities and permissions were last read", null=True),
                ),
                ("missing", models.JSONField(default=dict, help_text="{capability: why it is missing}")),
                (
                    "granter_lacks",
                    models.JSONField(help_text="[[permission, what for]]; null: not read yet", null=True),
                ),
                ("runner_lacks", models.JSONField(help_text="[[permission, what for]]; null: not read yet", null=True)),
                ("health", models.JSONField(default=dict, help_text="{part: healthy, unhealthy or empty}")),
                (
                    "rate_limits",
                    models.JSONField(default=dict, help_text="{account: {limit, remaining, reset} or null}"),
                ),
                (
                    "clock_ahead",
                    models.FloatField(help_text="seconds by which its clock is ahead of the database's", null=True),
                ),
            ],
        ),
    ]
