"""Converts the trail to format 1 (portal.audit.format): leaf and chain, salt, and references instead of columns.

The old trail is verified first. Its events are then converted in place and keep their numbers. Before them comes event
0, which names the head of the old chain and says whether it verified. The new text of a converted event contains the
old text, so the old chain can be computed from the new trail (portal.audit.carried). An empty trail stays empty.

This is one migration, and so one transaction: the trail is never without its guards.
"""

# ruff: noqa: S608 - constants of these files only

from datetime import UTC, datetime

from django.db import migrations, models
from django.utils import timezone

from portal.audit.format import GENESIS, VERSION, canonical, chained, leaf_of, new_salt
from portal.audit.migrations import _before_format_1 as before
from portal.audit.migrations import _guards_of_format_1 as guards
from portal.audit.searching import search_text
from portal.core import refs, trigrams

TABLE, COLUMN = "audit_auditevent", "search_text"
KEPT = before.KEPT_COLUMNS
REWRITE = f"""UPDATE {TABLE} SET at = %s, {", ".join(f"{name} = %s" for name in KEPT)},
    search_text = %s, payload = %s, prev = %s, leaf = %s, chain = %s WHERE seq = %s"""
REFER = "INSERT INTO audit_auditreference (seq, reference) VALUES (%s, %s)"
# for PostgreSQL, where `executemany` runs one statement per row
REFER_BATCH = "INSERT INTO audit_auditreference (seq, reference) SELECT * FROM unnest(%s::bigint[], %s::text[])"
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def off(apps, schema_editor):
    schema_editor.wrong_with_the_guards = guards.off(schema_editor)  # carry_over reports it
    trigrams.drop(schema_editor, table=TABLE, column=COLUMN)


def on(apps, schema_editor):
    trigrams.index(schema_editor, table=TABLE, column=COLUMN)
    guards.on(schema_editor)


def carry_over(apps, schema_editor):
    connection = schema_editor.connection
    found = before.look(connection)
    for words in schema_editor.wrong_with_the_guards:
        found.wrong(words)
    if not found.events and not found.found and found.head == (0, GENESIS):
        return
    chain = name_the_old_head(apps, connection, found)
    last_at = EARLIEST
    with connection.cursor() as cursor:
        for batch in before.read(connection, after=found.number_before):
            rows, named = [], []
            for event in batch:
                document = before.told(event, last_at, verified=not found.found)
                last_at = before.moment(document["at"])
                payload = canonical(document)
                prev, leaf = chain, leaf_of(payload)
                chain = chained(prev, leaf)
                at = connection.ops.adapt_datetimefield_value(last_at)
                columns = [document[name] for name in KEPT]
                rows.append((at, *columns, search_text(document), payload, prev, leaf, chain, event.seq))
                named += [(event.seq, reference) for reference in document["about"]]
            cursor.executemany(REWRITE, rows)
            if connection.vendor == "postgresql":
                cursor.execute(REFER_BATCH, [list(column) for column in zip(*named, strict=True)])
            else:
                cursor.executemany(REFER, named)
    seq = found.last if found.events else found.number_before
    apps.get_model("audit", "AuditHead").objects.update_or_create(id=1, defaults={"seq": seq, "chain": chain})


def name_the_old_head(apps, connection, found):
    """Write event 0 and return the chain after it."""
    at = timezone.now()
    columns = dict.fromkeys(KEPT, "") | {
        "actor": "gatehouse",
        "verb": "audit.format_changed",
        "outcome": "failed" if found.found else "success",
        "target": "audit",
    }
    document = {
        **columns,
        "v": VERSION,
        "seq": found.number_before,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "about": [refs.named(refs.TRAIL, "audit")],
        "salt": new_salt(),
        "detail": found.detail(),
    }
    payload = canonical(document)
    leaf = leaf_of(payload)
    chain = chained(GENESIS, leaf)
    apps.get_model("audit", "AuditEvent").objects.create(
        seq=document["seq"], at=at, **columns, search_text=search_text(document), payload=payload, prev=GENESIS,
        leaf=leaf, chain=chain,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.executemany(REFER, [(document["seq"], reference) for reference in document["about"]])
    return chain


def convert_refusals(apps, schema_editor):
    """Convert the refusals that are counted but are not yet an event."""
    for row in apps.get_model("audit", "RepeatedRefusal").objects.iterator():
        if "about" not in row.entry:
            row.entry["about"] = before.about(dict.fromkeys(before.COLUMNS, "") | {"detail": {}} | row.entry)
            row.entry = {name: row.entry[name] for name in (*KEPT, "about", "detail")}
            row.save(update_fields=["entry"])


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_repeated_refusal")]
    operations = [
        migrations.RunPython(off),
        # dropped while every row is rewritten; created again below
        migrations.RemoveIndex("AuditEvent", "audit_audit_actor_6cfe36_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_verb_c9d9f7_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_target_b3a4a9_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_request_7d0a99_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_grant_bab08e_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_operati_f54122_idx"),
        migrations.RemoveIndex("AuditEvent", "audit_audit_at_c42b4b_idx"),
        migrations.RenameField("AuditEvent", "hash", "chain"),
        migrations.RenameField("AuditHead", "hash", "chain"),
        migrations.AlterField(
            "AuditEvent", "chain", models.CharField(max_length=64, unique=True, help_text="digest of prev and leaf")
        ),
        migrations.AlterField(
            "AuditEvent", "prev", models.CharField(max_length=64, help_text="the chain of the event before")
        ),
        migrations.AddField(
            "AuditEvent",
            "leaf",
            models.CharField(default="", max_length=64, help_text="digest of the payload"),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name="AuditReference",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "seq", "reference", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("seq", models.BigIntegerField()),
                ("reference", models.CharField(max_length=440)),
            ],
        ),
        migrations.RunPython(carry_over),
        migrations.RunPython(convert_refusals),
        migrations.RemoveField("AuditEvent", "deployment"),
        migrations.RemoveField("AuditEvent", "request"),
        migrations.RemoveField("AuditEvent", "grant"),
        migrations.RemoveField("AuditEvent", "operation"),
        migrations.AddIndex("AuditEvent", models.Index(fields=["actor", "-seq"], name="audit_audit_actor_6cfe36_idx")),
        migrations.AddIndex("AuditEvent", models.Index(fields=["verb", "-seq"], name="audit_audit_verb_c9d9f7_idx")),
        migrations.AddIndex(
            "AuditEvent", models.Index(fields=["target", "-seq"], name="audit_audit_target_b3a4a9_idx")
        ),
        migrations.AddIndex("AuditEvent", models.Index(fields=["at"], name="audit_audit_at_c42b4b_idx")),
        migrations.AddIndex(
            "AuditReference", models.Index(fields=["reference", "-seq"], name="audit_audit_referen_79d6a5_idx")
        ),
        migrations.RunPython(on),
    ]
