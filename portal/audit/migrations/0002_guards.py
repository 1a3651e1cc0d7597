"""The head of an empty trail, and the database triggers that keep both tables append-only.

A new event must follow the last one. No event is changed or removed. The head only moves forward, to an existing event.
The triggers stop mistakes, and anybody who has only the portal's own access. They cannot stop the owner of the tables,
who can disable them; verifying is for that case (docs/audit.md).
"""

# ruff: noqa: S608 - constants of this file only

from django.db import migrations

KEPT = "the audit trail is append-only"
FOLLOWS = "an audit event must follow the last one"
FORWARD = "the head of the audit trail only moves forward, onto its last event"

# SQLite: INSERT OR REPLACE removes rows without firing DELETE triggers, so the INSERT triggers must refuse it; they fire
# before the conflict is resolved.
SQLITE = [
    f"""CREATE TRIGGER audit_event_kept_update BEFORE UPDATE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_event_kept_delete BEFORE DELETE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_auditevent
    WHEN NEW.seq IS NOT COALESCE((SELECT MAX(seq) FROM audit_auditevent), 0) + 1
      OR NEW.prev IS NOT COALESCE((SELECT hash FROM audit_auditevent ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
      OR EXISTS (SELECT 1 FROM audit_auditevent WHERE hash = NEW.hash)
    BEGIN SELECT RAISE(ABORT, '{FOLLOWS}'); END""",
    f"""CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_audithead
    WHEN NEW.id IS NOT OLD.id OR NEW.seq <= OLD.seq OR NEW.seq IS NOT (SELECT MAX(seq) FROM audit_auditevent)
      OR NEW.hash IS NOT (SELECT hash FROM audit_auditevent WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{FORWARD}'); END""",
    f"""CREATE TRIGGER audit_head_kept_delete BEFORE DELETE ON audit_audithead
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_head_kept_insert BEFORE INSERT ON audit_audithead
    WHEN EXISTS (SELECT 1 FROM audit_audithead)
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
]
SQLITE_UNDO = [
    f"DROP TRIGGER {name}"
    for name in (
        "audit_head_kept_insert",
        "audit_head_kept_delete",
        "audit_head_forward",
        "audit_event_follows",
        "audit_event_kept_delete",
        "audit_event_kept_update",
    )
]

POSTGRES = [
    f"""CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{KEPT}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE FUNCTION audit_event_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record;
    BEGIN
        SELECT seq, hash INTO last FROM audit_auditevent ORDER BY seq DESC LIMIT 1;
        IF NEW.seq <> COALESCE(last.seq, 0) + 1 OR NEW.prev <> COALESCE(last.hash, repeat('0', 64)) THEN
            RAISE EXCEPTION '{FOLLOWS}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$""",
    f"""CREATE FUNCTION audit_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record;
    BEGIN
        SELECT seq, hash INTO last FROM audit_auditevent ORDER BY seq DESC LIMIT 1;
        IF NEW.id <> OLD.id OR NEW.seq <= OLD.seq OR NEW.seq IS DISTINCT FROM last.seq
                OR NEW.hash IS DISTINCT FROM last.hash THEN
            RAISE EXCEPTION '{FORWARD}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$""",
    """CREATE TRIGGER audit_event_kept BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_event_kept_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_event_follows()""",
    """CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_audithead
    FOR EACH ROW EXECUTE FUNCTION audit_head_forward()""",
    """CREATE TRIGGER audit_head_kept BEFORE DELETE ON audit_audithead
    FOR EACH ROW EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_head_kept_truncate BEFORE TRUNCATE ON audit_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()""",
]
POSTGRES_UNDO = [
    "DROP TRIGGER audit_head_kept_truncate ON audit_audithead",
    "DROP TRIGGER audit_head_kept ON audit_audithead",
    "DROP TRIGGER audit_head_forward ON audit_audithead",
    "DROP TRIGGER audit_event_follows ON audit_auditevent",
    "DROP TRIGGER audit_event_kept_truncate ON audit_auditevent",
    "DROP TRIGGER audit_event_kept ON audit_auditevent",
    "DROP FUNCTION audit_head_forward()",
    "DROP FUNCTION audit_event_follows()",
    "DROP FUNCTION audit_kept()",
]


def seed(apps, schema_editor):
    apps.get_model("audit", "AuditHead").objects.create(id=1, seq=0, hash="0" * 64)


def guard(apps, schema_editor):
    _execute(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRES})


def unguard(apps, schema_editor):
    _execute(schema_editor, {"sqlite": SQLITE_UNDO, "postgresql": POSTGRES_UNDO})


def _execute(schema_editor, statements):
    for statement in statements[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [
        migrations.RunPython(seed, migrations.RunPython.noop),
        migrations.RunPython(guard, unguard),
    ]
