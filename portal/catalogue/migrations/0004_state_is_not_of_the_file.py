from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0003_account_ids"),
        ("airflow", "0002_state_of_deployments"),
    ]

    operations = [
        migrations.RemoveField(model_name="deployment", name="status"),
        migrations.RemoveField(model_name="deployment", name="status_since"),
        migrations.RemoveField(model_name="deployment", name="status_detail"),
        migrations.RemoveField(model_name="deployment", name="checked_at"),
        migrations.RemoveField(model_name="deployment", name="airflow_version"),
        migrations.RemoveField(model_name="deployment", name="found"),
    ]
