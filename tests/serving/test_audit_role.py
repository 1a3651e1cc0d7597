"""`check --deploy` on PostgreSQL: whether the portal's role could change the trail in spite of its guards."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from tests.services import new_database
from tests.serving.test_serve import REPOSITORY, manage

OWNED = (
    "is the owner of audit_auditevent, audit_audithead, audit_auditreference, audit_event_follows(), "
    "audit_head_forward(), audit_kept(), audit_reference_together(), the schema public:"
)


def statements(portal: str = "portal", keeper: str = "gatehouse_keeper") -> str:
    """The SQL statements of docs/audit.md, for roles of these names."""
    text = (REPOSITORY / "docs" / "audit.md").read_text()
    found = re.search(r"```sql\n(CREATE ROLE.*?)```", text, re.DOTALL)
    assert found
    return re.sub(r"\bgatehouse\b", portal, found[1]).replace("gatehouse_keeper", keeper)


def test_a_role_that_can_switch_off_the_guards(tmp_path: Path, postgres_url: str) -> None:
    url = new_database(postgres_url, "apart")
    parts = urlsplit(url)
    as_portal = urlunsplit(parts._replace(netloc=f"portal@{parts.hostname}:{parts.port}"))

    def done(*command: str, by: str = as_portal) -> str:
        made = manage(tmp_path, *command, GATEHOUSE_DATABASE_URL=by)
        return made.stdout + made.stderr

    def said(by: str = as_portal) -> str:
        return done("check", "--deploy", by=by)

    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE portal LOGIN; ALTER DATABASE apart OWNER TO portal")
        done("migrate", "--verbosity=0")
        assert "is a superuser" in said(url)
        assert OWNED in said()
        admin.execute(statements())
        assert "gatehouse.W005" not in said()
        for events in (0, 1):  # the portal can still read the trail and add to it
            assert f"{events} of {events} events verified, no change found" in done("audit", "verify")
        with psycopg.connect(as_portal, autocommit=True) as portal:
            for forbidden in ("DROP FUNCTION audit_kept() CASCADE", "DROP TABLE audit_auditevent"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    portal.execute(forbidden)
        for one, owner in (
            ("FUNCTION audit_kept()", "audit_kept()"),
            ("SCHEMA public", "the schema public"),
            ("TABLE audit_audithead", "audit_audithead"),
        ):
            admin.execute(f"ALTER {one} OWNER TO portal")
            assert f"is the owner of {owner}:" in said()
            admin.execute(f"ALTER {one} OWNER TO gatehouse_keeper")
        admin.execute("GRANT gatehouse_keeper TO portal")
        assert OWNED in said()
        admin.execute("REVOKE gatehouse_keeper FROM portal")
        admin.execute("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_kept")
        assert "Guards of the audit trail are switched off in PostgreSQL: audit_event_kept" in said()


def test_what_the_migration_to_format_1_adds_belongs_to_the_owner_of_the_trail(
    tmp_path: Path, postgres_url: str
) -> None:
    url = new_database(postgres_url, "kept_apart")
    parts = urlsplit(url)
    as_portal = urlunsplit(parts._replace(netloc=f"upgrader@{parts.hostname}:{parts.port}"))
    dump = REPOSITORY / "tests" / "data" / "before_format_1.postgresql.sql.gz"

    def done(*command: str) -> str:
        made = manage(tmp_path, *command, GATEHOUSE_DATABASE_URL=as_portal)
        return made.stdout + made.stderr

    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE ROLE upgrader LOGIN; ALTER DATABASE kept_apart OWNER TO upgrader")
        with psycopg.connect(as_portal, autocommit=True) as portal:
            portal.execute(gzip.decompress(dump.read_bytes()).decode())
        before = statements("upgrader", "keeper").replace(", audit_auditreference", "")
        admin.execute("\n".join(line for line in before.splitlines() if "reference" not in line))
        assert "must be owner of" in done("migrate")
        admin.execute("GRANT keeper TO upgrader")
        assert "Applying audit.0005_format_1... OK" in done("migrate")
        admin.execute("REVOKE keeper FROM upgrader")
        assert "gatehouse.W005" not in done("check", "--deploy")
        assert "no change found" in done("audit", "verify")
