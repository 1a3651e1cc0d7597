# Why a pending request ended without a decision.

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0009_approver_once_per_stage"),
    ]

    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="closed_because",
            field=models.TextField(blank=True, default="", help_text="why it lapsed, in words"),
        ),
    ]
