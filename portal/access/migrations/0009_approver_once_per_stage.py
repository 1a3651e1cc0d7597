from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0008_folded_subjects")]

    operations = [
        migrations.AddIndex(
            model_name="stageapprover",
            index=models.Index(fields=["folded", "stage"], name="access_stag_folded_628b2f_idx"),
        ),
        migrations.AddConstraint(
            model_name="stageapprover",
            constraint=models.UniqueConstraint(
                models.F("stage"), models.F("folded"), name="access_approver_once_per_stage"
            ),
        ),
    ]
