from django.db import migrations, models


def names_to_entries(apps, schema_editor):
    deployments = apps.get_model("catalogue", "Deployment")
    for row in deployments.objects.exclude(variables=[]):
        row.variables = [
            {"key": one, "schema": {}, "description": "", "who": []} if isinstance(one, str) else one
            for one in row.variables
        ]
        row.save(update_fields=["variables"])


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0007_entry_of_each_dag")]

    operations = [
        migrations.RunPython(names_to_entries, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="deployment",
            name="variables",
            field=models.JSONField(
                default=list, help_text="[{key, schema, description, who, policy}]: Airflow variables"
            ),
        ),
    ]
