"""Each row of a DAG gets the key of its entry. Until now every entry named one DAG."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery, Value
from django.db.models.functions import Concat


def fill(apps, schema_editor):
    Dag, Deployment = apps.get_model("catalogue", "Dag"), apps.get_model("catalogue", "Deployment")
    name = Deployment.objects.filter(pk=OuterRef("deployment")).values("name")
    Dag.objects.filter(entry="").update(entry=Concat(Subquery(name), Value("/"), F("dag_id")))


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0006_limits_and_bounds_of_dags")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
