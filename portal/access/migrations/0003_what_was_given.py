import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0002_created_by_database_clock"),
        ("catalogue", "0002_deployment_found"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="airflow_user",
            field=models.CharField(blank=True, default="", help_text="the user name in Airflow", max_length=512),
        ),
        migrations.AddField(
            model_name="grant",
            name="airflow_user_id",
            field=models.CharField(
                blank=True, default="", help_text="what stays the same when Airflow's user is renamed", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="apply_by",
            field=models.DateTimeField(help_text="until when it may be given; later it is given up", null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="back_since",
            field=models.DateTimeField(help_text="ended, but Airflow shows the role again", null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="dag_id",
            field=models.CharField(blank=True, default="", max_length=250),
        ),
        migrations.AddField(
            model_name="grant",
            name="deployment",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="grants", to="catalogue.deployment"
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="given_again",
            field=models.PositiveSmallIntegerField(default=0, help_text="times that a missing role was given again"),
        ),
        migrations.AddField(
            model_name="grant",
            name="ineligible_since",
            field=models.DateTimeField(help_text="since when the policy no longer lets its holder ask", null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="left_at",
            field=models.DateTimeField(
                help_text="since when it is left to admins: it was taken away too often", null=True
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="level",
            field=models.CharField(
                blank=True, choices=[("view", "view"), ("operate", "operate")], default="", max_length=8
            ),
        ),
        migrations.AddField(
            model_name="grant",
            name="look_at",
            field=models.DateTimeField(help_text="when to look at it in Airflow again", null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="looks",
            field=models.PositiveSmallIntegerField(default=0, help_text="looks since it was given or taken away"),
        ),
        migrations.AddField(
            model_name="grant",
            name="missing_since",
            field=models.DateTimeField(help_text="live, but Airflow does not show the role", null=True),
        ),
        migrations.AddField(
            model_name="grant",
            name="role",
            field=models.CharField(default="", help_text="the Airflow role it gives", max_length=64),
        ),
        migrations.AddField(
            model_name="grant",
            name="sent_at",
            field=models.DateTimeField(
                help_text="since when Airflow may show the role because of this grant", null=True
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="end_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("expired", "its time was over"),
                    ("revoked", "revoked"),
                    ("handed_back", "handed back"),
                    ("leaver", "its holder left"),
                    ("not_eligible", "no longer eligible"),
                ],
                default="",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="failure",
            field=models.TextField(blank=True, default="", help_text="why it could not be given, in words"),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(fields=["deployment", "role", "status"], name="access_gran_deploym_18f885_idx"),
        ),
        migrations.AddIndex(
            model_name="grant",
            index=models.Index(
                condition=models.Q(("look_at__isnull", False)), fields=["look_at"], name="access_looking"
            ),
        ),
    ]
