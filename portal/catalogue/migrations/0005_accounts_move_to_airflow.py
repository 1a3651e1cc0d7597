"""The table of AirflowAccount gets another name; ("airflow", "0003_airflow_accounts") goes on with it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("catalogue", "0004_state_is_not_of_the_file"),
        ("access", "0003_what_was_given"),  # reads the model under its old name
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.AlterModelTable("airflowaccount", "airflow_airflowaccount")],
            state_operations=[migrations.DeleteModel("AirflowAccount")],
        ),
    ]
