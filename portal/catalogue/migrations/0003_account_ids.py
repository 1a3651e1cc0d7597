from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0002_deployment_found"),
    ]

    operations = [
        migrations.AddField(
            model_name="airflowaccount",
            name="airflow_id",
            field=models.CharField(
                blank=True, default="", help_text="what stays the same when Airflow's user is renamed", max_length=40
            ),
        ),
    ]
