from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0012_role_in_making"),
    ]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="kept_for",
            field=models.TextField(
                blank=True,
                default="",
                help_text="the other grants for which Airflow kept the role when this one ended",
            ),
        ),
    ]
