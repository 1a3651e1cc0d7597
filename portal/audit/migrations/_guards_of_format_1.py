"""The database triggers that keep the trail of format 1 append-only. Migration 0005 creates them.

Like those of 0002. In addition, on PostgreSQL leaf and chain of a new event must be right (SQLite has no SHA-256), and
a reference can be added only before the head moves to its event, so only in the same transaction.
"""

# ruff: noqa: S608 - constants of this file only

from importlib import import_module

BEFORE = import_module("portal.audit.migrations.0002_guards")
KEPT = "the audit trail is append-only"
FOLLOWS = "an audit event must follow the last one"
FORWARD = "the head of the audit trail only moves forward, onto its last event"
TOGETHER = "a reference is written together with its event"

# SQLite: INSERT OR REPLACE removes rows without firing DELETE triggers, so the INSERT triggers must refuse it; they fire
# before the conflict is resolved.
SQLITE = [
    f"""CREATE TRIGGER audit_event_kept_update BEFORE UPDATE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_event_kept_delete BEFORE DELETE ON audit_auditevent
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_auditevent
    WHEN NEW.seq IS NOT COALESCE((SELECT MAX(seq) FROM audit_auditevent), 0) + 1
      OR NEW.prev IS NOT COALESCE((SELECT chain FROM audit_auditevent ORDER BY seq DESC LIMIT 1), printf('%064d', 0))
      OR EXISTS (SELECT 1 FROM audit_auditevent WHERE chain = NEW.chain)
    BEGIN SELECT RAISE(ABORT, '{FOLLOWS}'); END""",
    f"""CREATE TRIGGER audit_reference_kept_update BEFORE UPDATE ON audit_auditreference
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_reference_kept_delete BEFORE DELETE ON audit_auditreference
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_reference_together BEFORE INSERT ON audit_auditreference
    WHEN NEW.seq <= COALESCE((SELECT seq FROM audit_audithead), NEW.seq)
      OR NOT EXISTS (SELECT 1 FROM audit_auditevent WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{TOGETHER}'); END""",
    f"""CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_audithead
    WHEN NEW.id IS NOT OLD.id OR NEW.seq <= OLD.seq OR NEW.seq IS NOT (SELECT MAX(seq) FROM audit_auditevent)
      OR NEW.chain IS NOT (SELECT chain FROM audit_auditevent WHERE seq = NEW.seq)
    BEGIN SELECT RAISE(ABORT, '{FORWARD}'); END""",
    f"""CREATE TRIGGER audit_head_kept_delete BEFORE DELETE ON audit_audithead
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
    f"""CREATE TRIGGER audit_head_kept_insert BEFORE INSERT ON audit_audithead
    WHEN EXISTS (SELECT 1 FROM audit_audithead)
    BEGIN SELECT RAISE(ABORT, '{KEPT}'); END""",
]

# CREATE OR REPLACE, so that the functions of 0002 keep their owner
POSTGRES_FUNCTIONS = [
    f"""CREATE OR REPLACE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION '{KEPT}' USING ERRCODE = 'integrity_constraint_violation'; END $$""",
    f"""CREATE OR REPLACE FUNCTION audit_event_follows() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record; leaf text;
    BEGIN
        SELECT seq, chain INTO last FROM audit_auditevent ORDER BY seq DESC LIMIT 1;
        leaf := encode(sha256('\\x00'::bytea || convert_to(NEW.payload, 'UTF8')), 'hex');
        IF NEW.seq IS DISTINCT FROM COALESCE(last.seq, 0) + 1
                OR NEW.prev IS DISTINCT FROM COALESCE(last.chain, repeat('0', 64)) OR NEW.leaf IS DISTINCT FROM leaf
                OR NEW.chain IS DISTINCT FROM encode(
                    sha256(decode(COALESCE(last.chain, repeat('0', 64)), 'hex') || decode(leaf, 'hex')), 'hex') THEN
            RAISE EXCEPTION '{FOLLOWS}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$""",
    f"""CREATE OR REPLACE FUNCTION audit_reference_together() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.seq <= COALESCE((SELECT seq FROM audit_audithead), NEW.seq)
                OR NOT EXISTS (SELECT 1 FROM audit_auditevent WHERE seq = NEW.seq) THEN
            RAISE EXCEPTION '{TOGETHER}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$""",
    f"""CREATE OR REPLACE FUNCTION audit_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE last record;
    BEGIN
        SELECT seq, chain INTO last FROM audit_auditevent ORDER BY seq DESC LIMIT 1;
        IF NEW.id <> OLD.id OR NEW.seq <= OLD.seq OR NEW.seq IS DISTINCT FROM last.seq
                OR NEW.chain IS DISTINCT FROM last.chain THEN
            RAISE EXCEPTION '{FORWARD}' USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END $$""",
]
POSTGRES_TRIGGERS = [
    """CREATE TRIGGER audit_event_kept BEFORE UPDATE OR DELETE ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_event_kept_truncate BEFORE TRUNCATE ON audit_auditevent
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_event_follows BEFORE INSERT ON audit_auditevent
    FOR EACH ROW EXECUTE FUNCTION audit_event_follows()""",
    """CREATE TRIGGER audit_reference_kept BEFORE UPDATE OR DELETE ON audit_auditreference
    FOR EACH ROW EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_reference_kept_truncate BEFORE TRUNCATE ON audit_auditreference
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_reference_together BEFORE INSERT ON audit_auditreference
    FOR EACH ROW EXECUTE FUNCTION audit_reference_together()""",
    """CREATE TRIGGER audit_head_forward BEFORE UPDATE ON audit_audithead
    FOR EACH ROW EXECUTE FUNCTION audit_head_forward()""",
    """CREATE TRIGGER audit_head_kept BEFORE DELETE ON audit_audithead
    FOR EACH ROW EXECUTE FUNCTION audit_kept()""",
    """CREATE TRIGGER audit_head_kept_truncate BEFORE TRUNCATE ON audit_audithead
    FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()""",
]

OWNER = """SELECT pg_get_userbyid(relowner), pg_get_userbyid(relowner) <> current_user, current_user
    FROM pg_class WHERE oid = 'audit_auditevent'::regclass"""
NEW_TABLE, NEW_FUNCTION = "audit_auditreference", "audit_reference_together()"


def off(schema_editor):
    """Drop the triggers of 0002; their functions stay. Returns what was wrong with them, in words."""
    if schema_editor.connection.vendor == "sqlite":
        wanted = {sql.split()[2]: " ".join(sql.split()) for sql in BEFORE.SQLITE}
        found = _found(schema_editor, "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        for name in wanted:
            schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}")
        return [*_missing(wanted, found)] + [
            f"The guard {name} of the trail was changed."
            for name in wanted
            if name in found and " ".join(found[name].split()) != wanted[name]
        ]
    found = _found(schema_editor, "SELECT tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal")
    for name in POSTGRES_BEFORE:
        table = "audit_audithead" if "_head_" in name else "audit_auditevent"
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")
    return [*_missing(POSTGRES_BEFORE, found)] + [
        f"The guard {name} of the trail is switched off."
        for name in POSTGRES_BEFORE
        if name in found and found[name] not in ("O", "A")
    ]


def _found(schema_editor, sql):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(sql)
        return dict(cursor.fetchall())


def _missing(wanted, found):
    return (f"The guard {name} of the trail is missing." for name in wanted if name not in found)


POSTGRES_BEFORE = (
    "audit_head_kept_truncate",
    "audit_head_kept",
    "audit_head_forward",
    "audit_event_follows",
    "audit_event_kept_truncate",
    "audit_event_kept",
)


def on(schema_editor):
    if schema_editor.connection.vendor == "sqlite":
        for sql in SQLITE:
            schema_editor.execute(sql, params=None)
        return
    for sql in [*POSTGRES_FUNCTIONS, *POSTGRES_TRIGGERS]:
        schema_editor.execute(sql, params=None)
    _give_to_the_owner_of_the_trail(schema_editor)


def _give_to_the_owner_of_the_trail(schema_editor):
    """If the trail belongs to a separate role (docs/audit.md), give it the new table and function too."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(OWNER)
        owner, is_another, portal = cursor.fetchone()
    if is_another:
        quoted, me = schema_editor.quote_name(owner), schema_editor.quote_name(portal)
        schema_editor.execute(f"ALTER TABLE {NEW_TABLE} OWNER TO {quoted}")
        schema_editor.execute(f"ALTER FUNCTION {NEW_FUNCTION} OWNER TO {quoted}")
        schema_editor.execute(f"GRANT SELECT, INSERT ON {NEW_TABLE} TO {me}")
