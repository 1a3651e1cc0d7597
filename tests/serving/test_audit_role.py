"""`check --deploy` on PostgreSQL: whether the portal's role could change the trail past its guards."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from tests.serving.test_serve import manage

APART = """
CREATE ROLE portal LOGIN PASSWORD 'portal';
CREATE ROLE keeper;
CREATE TABLE audit_auditevent (seq bigint);
CREATE TABLE audit_audithead (seq bigint);
ALTER TABLE audit_auditevent OWNER TO {owner};
ALTER TABLE audit_audithead OWNER TO keeper;
GRANT ALL ON audit_auditevent, audit_audithead TO portal;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
CREATE TRIGGER audit_event_kept BEFORE DELETE ON audit_auditevent EXECUTE FUNCTION refuse();
"""


def test_a_role_that_can_switch_off_the_guards(tmp_path: Path, postgres_url: str) -> None:
    def said(url: str) -> str:
        done = manage(tmp_path, "check", "--deploy", GATEHOUSE_DATABASE_URL=url)
        return done.stdout + done.stderr

    assert "is a superuser" in said(postgres_url)
    parts = urlsplit(postgres_url)
    as_portal = urlunsplit(parts._replace(netloc=f"portal:portal@{parts.hostname}:{parts.port}"))
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute(APART.format(owner="portal"))
        assert "is the owner of audit_auditevent:" in said(as_portal)
        admin.execute("ALTER TABLE audit_auditevent OWNER TO keeper")
        assert "gatehouse.W005" not in said(as_portal)
        admin.execute("GRANT keeper TO portal")
        assert "is the owner of audit_auditevent and audit_audithead:" in said(as_portal)
        admin.execute("REVOKE keeper FROM portal")
        admin.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_kept")
        assert "Guards of the audit trail are switched off in PostgreSQL: audit_event_kept" in said(as_portal)
