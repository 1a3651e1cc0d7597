"""The folded texts of every request, for searching."""

from django.db import migrations, models

from portal.core import trigrams
from portal.core.text import fold

TABLE, COLUMN = "access_accessrequest", "search_text"
BATCH = 1000


def fill(apps, schema_editor):
    """As portal.access.searching does; a migration's models have no methods."""
    rows = apps.get_model("access", "AccessRequest").objects.select_related("requester", "beneficiary", "entitlement")
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
            last = batch[-1].pk
            found = [(_text(row), row.pk) for row in batch]
            cursor.executemany(f"UPDATE {TABLE} SET {COLUMN} = %s WHERE id = %s", found)  # noqa: S608 - constants


def _text(row):
    texts = [row.reason, row.ticket, row.entitlement.key, row.entitlement.title]
    for person in dict.fromkeys((row.requester, row.beneficiary)):
        texts += [person.username, f"{person.first_name} {person.last_name}".strip(), person.email]
    return fold("\n".join(texts))


def index(apps, schema_editor):
    trigrams.index(schema_editor, table=TABLE, column=COLUMN)


def drop(apps, schema_editor):
    trigrams.drop(schema_editor, table=TABLE, column=COLUMN)


class Migration(migrations.Migration):
    dependencies = [
        ("access", "0005_names_are_required"),
        ("accounts", "0001_initial"),
        ("catalogue", "0002_deployment_found"),
    ]
    operations = [
        migrations.AddField(
            "AccessRequest",
            COLUMN,
            models.TextField(default="", help_text="what is searched, folded (portal.access.searching)"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(index, drop),
    ]
