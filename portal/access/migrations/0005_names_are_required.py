import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0002_deployment_found"),
        ("access", "0004_name_what_was_given"),
    ]

    operations = [
        migrations.AlterField(
            model_name="grant",
            name="deployment",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="grants", to="catalogue.deployment"
            ),
        ),
        migrations.AlterField(
            model_name="grant",
            name="role",
            field=models.CharField(help_text="the Airflow role it gives", max_length=64),
        ),
    ]
