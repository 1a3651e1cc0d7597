from django.db import migrations
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, Now

UNPROVED = ("applying", "failed")


def name(apps, schema_editor):
    """What each grant gives, from the entitlement it was made of; the account it was given to, from what was matched.

    Whether a grant that was never proved has changed anything in Airflow was not kept: it may have.
    """
    grants = apps.get_model("access", "Grant").objects
    entitlements = apps.get_model("catalogue", "Entitlement").objects.filter(pk=OuterRef("entitlement"))
    given = {"deployment_id": "deployment_id", "role": "role", "dag_id": "dag_id", "level": "level"}
    grants.update(**{column: Subquery(entitlements.values(source)[:1]) for column, source in given.items()})

    accounts = apps.get_model("catalogue", "AirflowAccount").objects
    matched = accounts.filter(person=OuterRef("beneficiary"), deployment=OuterRef("deployment"))
    grants.exclude(status="scheduled").update(
        airflow_user=Coalesce(Subquery(matched.values("username")[:1]), Value(""))
    )
    grants.filter(verified_at__isnull=False).update(sent_at=F("verified_at"))
    grants.filter(verified_at=None, status__in=[*UNPROVED, "ending"]).update(sent_at=F("created_at"))
    grants.filter(status="active").update(look_at=Now())


class Migration(migrations.Migration):
    dependencies = [("access", "0003_what_was_given")]

    operations = [migrations.RunPython(name, migrations.RunPython.noop)]
