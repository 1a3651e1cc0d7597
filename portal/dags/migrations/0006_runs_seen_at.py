"""When the last runs of a DAG were read: `seen_at` also moves when the DAG alone was read."""

from django.db import migrations, models


def fill(apps, schema_editor):
    apps.get_model("dags", "DagState").objects.update(runs_seen_at=models.F("seen_at"))


class Migration(migrations.Migration):
    dependencies = [("dags", "0005_wanted")]
    operations = [
        migrations.AddField(
            "DagState", "runs_seen_at", models.DateTimeField(help_text="when `last_runs` were read", null=True)
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
