from django.db import migrations, models


def call_cancelled(apps, schema_editor):
    """The way back: the release before knows no such status."""
    apps.get_model("operations", "Operation").objects.filter(status="superseded").update(status="cancelled")


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0007_ordering_key"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="operation",
            name="operations_settled_has_time",
        ),
        migrations.AlterField(
            model_name="operation",
            name="kind",
            field=models.CharField(help_text="registered in portal.operations.kinds", max_length=40),
        ),
        migrations.AlterField(
            model_name="operation",
            name="status",
            field=models.CharField(
                choices=[
                    ("queued", "queued"),
                    ("running", "running"),
                    ("succeeded", "succeeded"),
                    ("failed", "failed"),
                    ("cancelled", "cancelled"),
                    ("superseded", "superseded"),
                ],
                default="queued",
                max_length=10,
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("settled_at__isnull", True), ("status__in", ["queued", "running"])),
                    models.Q(
                        ("settled_at__isnull", False),
                        ("status__in", ["succeeded", "failed", "cancelled", "superseded"]),
                    ),
                    _connector="OR",
                ),
                name="operations_settled_has_time",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, call_cancelled),
    ]
