from django.db import migrations, models

import accounts.fields
import portal.core.text
from portal.core.text import fold


def fill(apps, schema_editor):
    """Of subjects of one stage that are the same, the first is kept."""
    StageApprover = apps.get_model("access", "StageApprover")
    there = set()
    for row in StageApprover.objects.order_by("pk").iterator():
        row.folded = fold(row.subject)
        if (row.stage_id, row.folded) in there:
            row.delete()
            continue
        there.add((row.stage_id, row.folded))
        row.save(update_fields=["folded"])


class Migration(migrations.Migration):
    dependencies = [("access", "0007_end_read"), ("accounts", "0003_folded_names")]

    operations = [
        migrations.RemoveConstraint(model_name="stageapprover", name="access_approver_once_per_stage"),
        migrations.RemoveIndex(model_name="stageapprover", name="access_stag_subject_fdd413_idx"),
        migrations.AlterField(
            model_name="stageapprover",
            name="subject",
            field=models.CharField(help_text="as the policy writes it", max_length=160),
        ),
        migrations.AddField(
            model_name="stageapprover",
            name="folded",
            field=accounts.fields.DerivedField(by=portal.core.text.fold, default="", max_length=160, of="subject"),
            preserve_default=False,
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
