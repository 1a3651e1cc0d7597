"""The lanes of pause switches and variables name the Airflow, not the deployment; those of queued operations too."""

from django.db import migrations, models

from portal.catalogue import airflows


def rename(apps, schema_editor):
    waiting = apps.get_model("operations", "Operation").objects.filter(status__in=["queued", "running"])
    for operation in waiting.filter(kind__in=["pause_dag", "unpause_dag", "set_variable"]).select_related("deployment"):
        kind, _, name = operation.lane.split("/", 2)
        operation.lane = f"{kind}/{airflows.key(operation.deployment)}/{name}"
        operation.save(update_fields=["lane"])


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0005_roles_again"),
    ]

    operations = [
        migrations.AlterField(
            model_name="operation",
            name="lane",
            field=models.CharField(
                help_text="operations of one lane run one at a time: a person's roles, a DAG's pause switch",
                max_length=500,
            ),
        ),
        migrations.RunPython(rename, migrations.RunPython.noop),
    ]
