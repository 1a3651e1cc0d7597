import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("airflow", "0002_state_of_deployments"),
        ("catalogue", "0005_accounts_move_to_airflow"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="AirflowAccount",
                    fields=[
                        (
                            "id",
                            models.BigAutoField(
                                auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                            ),
                        ),
                        ("username", models.CharField(max_length=512)),
                        (
                            "airflow_id",
                            models.CharField(
                                blank=True,
                                default="",
                                help_text="what stays the same when Airflow's user is renamed",
                                max_length=40,
                            ),
                        ),
                        ("created_by_gatehouse", models.BooleanField(default=False)),
                        ("found_at", models.DateTimeField(auto_now_add=True)),
                        (
                            "deployment",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="airflow_accounts",
                                to="catalogue.deployment",
                            ),
                        ),
                        (
                            "person",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="airflow_accounts",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "constraints": [
                            models.UniqueConstraint(
                                models.F("person"), models.F("deployment"), name="catalogue_one_account_per_person"
                            ),
                            models.UniqueConstraint(
                                models.F("deployment"), models.F("username"), name="catalogue_one_person_per_account"
                            ),
                        ],
                    },
                ),
            ],
        ),
        migrations.RemoveConstraint(model_name="airflowaccount", name="catalogue_one_account_per_person"),
        migrations.RemoveConstraint(model_name="airflowaccount", name="catalogue_one_person_per_account"),
        migrations.AddConstraint(
            model_name="airflowaccount",
            constraint=models.UniqueConstraint(
                models.F("person"), models.F("deployment"), name="airflow_one_account_per_person"
            ),
        ),
        migrations.AddConstraint(
            model_name="airflowaccount",
            constraint=models.UniqueConstraint(
                models.F("deployment"), models.F("username"), name="airflow_one_person_per_account"
            ),
        ),
    ]
