import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


def fill(apps, schema_editor):
    """The trail says who withdrew a request: one's own, or one for oneself that another person made."""
    AuditEvent = apps.get_model("audit", "AuditEvent")
    requests = apps.get_model("access", "AccessRequest").objects.filter(status="withdrawn")
    names = dict(AuditEvent.objects.filter(verb="request.withdrawn").values_list("target", "actor"))
    for request in requests.select_related("requester", "beneficiary").iterator():
        people = (request.requester, request.beneficiary)
        request.withdrawn_by = next((one for one in people if one.username == names.get(f"REQ-{request.pk}")), None)
        request.save(update_fields=["withdrawn_by"])


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0013_kept_for"),
        ("audit", "0004_repeated_refusal"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="accessrequest",
            name="withdrawn_by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="requests_withdrawn",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
