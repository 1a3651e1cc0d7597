"""The folded texts of every event, for searching. The guards are off while the old events get theirs.

This is one migration, and so one transaction: the trail is never without its guards.
"""

import json
from importlib import import_module

from django.db import migrations, models

from portal.audit.searching import search_text
from portal.core import trigrams

guards = import_module("portal.audit.migrations.0002_guards")
TABLE, COLUMN = "audit_auditevent", "search_text"
BATCH = 1000


def fill(apps, schema_editor):
    AuditEvent = apps.get_model("audit", "AuditEvent")
    last = 0
    with schema_editor.connection.cursor() as cursor:
        while rows := list(
            AuditEvent.objects.filter(seq__gt=last).order_by("seq").values_list("seq", "payload")[:BATCH]
        ):
            last = rows[-1][0]
            found = [(search_text(_read(payload)), seq) for seq, payload in rows]
            cursor.executemany(f"UPDATE {TABLE} SET {COLUMN} = %s WHERE seq = %s", found)  # noqa: S608 - constants


def _read(payload):
    try:
        return json.loads(payload)
    except ValueError:  # not written by Gatehouse; verifying reports it
        return {}


def index(apps, schema_editor):
    trigrams.index(schema_editor, table=TABLE, column=COLUMN)


def drop(apps, schema_editor):
    trigrams.drop(schema_editor, table=TABLE, column=COLUMN)


class Migration(migrations.Migration):
    dependencies = [("audit", "0002_guards")]
    operations = [
        migrations.RunPython(guards.unguard, guards.guard),
        migrations.AddField(
            "AuditEvent",
            COLUMN,
            models.TextField(default="", help_text="the texts of the payload, folded (portal.audit.searching)"),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(guards.guard, guards.unguard),
        migrations.RunPython(index, drop),
        migrations.AddIndex(
            "AuditEvent", models.Index(fields=["operation", "-seq"], name="audit_audit_operati_f54122_idx")
        ),
    ]
