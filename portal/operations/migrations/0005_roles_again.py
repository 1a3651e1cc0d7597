from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("operations", "0004_processes_and_failures"),
    ]

    operations = [
        migrations.AlterField(
            model_name="operation",
            name="kind",
            field=models.CharField(
                choices=[
                    ("grant_role", "give a role"),
                    ("revoke_role", "take a role away"),
                    ("restore_role", "give a role again"),
                    ("remove_again", "take a role away again"),
                    ("trigger_run", "start a run"),
                    ("pause_dag", "pause a DAG"),
                    ("unpause_dag", "unpause a DAG"),
                    ("set_variable", "change a variable"),
                ],
                max_length=16,
            ),
        ),
    ]
