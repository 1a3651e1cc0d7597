from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0011_deactivated_accounts"),
    ]

    operations = [
        migrations.CreateModel(
            name="RoleInMaking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("airflow", models.CharField(help_text="the Airflow, by its address", max_length=200)),
                ("role", models.CharField(max_length=64)),
                ("held_by", models.CharField(help_text="the operation and its attempt", max_length=40)),
                ("until", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        models.F("airflow"), models.F("role"), name="access_role_made_once_at_a_time"
                    )
                ],
            },
        ),
    ]
