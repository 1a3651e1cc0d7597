"""The column `lane` is now called `ordering_key`."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("operations", "0006_lanes_by_airflow")]
    operations = [
        migrations.RemoveConstraint("operation", "operations_one_running_per_lane"),
        migrations.RenameField("operation", "lane", "ordering_key"),
        migrations.AlterField(
            "operation",
            "ordering_key",
            models.CharField(
                help_text="operations with one key run one at a time: a person's roles, a DAG's pause switch",
                max_length=500,
            ),
        ),
        migrations.AddConstraint(
            "operation",
            models.UniqueConstraint(
                models.F("ordering_key"), condition=models.Q(status="running"), name="operations_one_running_per_key"
            ),
        ),
    ]
