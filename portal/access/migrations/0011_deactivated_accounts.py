from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Now


def look_at_failed(apps, schema_editor):
    """What failed was not always proved not to be held: it is looked at, and what is held is reported."""
    failed = apps.get_model("access", "Grant").objects.filter(status="failed", sent_at__isnull=False)
    failed.update(ended_at=F("created_at"), look_at=Now())


class Migration(migrations.Migration):
    dependencies = [("access", "0010_why_it_lapsed")]

    operations = [
        migrations.AddField(
            model_name="grant",
            name="unusable_since",
            field=models.DateTimeField(help_text="live, but the account in Airflow is deactivated", null=True),
        ),
        migrations.RunPython(look_at_failed, migrations.RunPython.noop),
    ]
