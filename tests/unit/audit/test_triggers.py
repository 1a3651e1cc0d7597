"""What the database itself refuses, whoever asks. Runs on whichever database the tests have."""

from __future__ import annotations

import pytest
from django.db import Error, IntegrityError, connection, transaction

from portal.audit.models import AuditEvent, AuditHead, AuditReference
from portal.audit.verify import verify
from tests import trail
from tests.unit.audit.conftest import happen

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("ten_events")]

LAST = "(SELECT chain FROM audit_auditevent WHERE seq = 10)"


def copy(of: int, how: str = "INSERT", then: str = "", **changes: str) -> str:
    """SQL that inserts event `of` once more, with some columns changed."""
    names = [f.column for f in AuditEvent._meta.concrete_fields]
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(changes.get(name, f'"{name}"') for name in names)
    return f"{how} INTO audit_auditevent ({columns}) SELECT {values} FROM audit_auditevent WHERE seq = {of} {then}"


def chain_over(leaf: str, prev: str = "chain") -> str:
    """SQL of PostgreSQL for the chain after an event."""
    return f"encode(sha256(decode({prev}, 'hex') || decode({leaf}, 'hex')), 'hex')"


def run(sql: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)


ATTACKS = {
    "change an event": "UPDATE audit_auditevent SET actor = 'nobody' WHERE seq = 3",
    "change every event": "UPDATE audit_auditevent SET actor = 'nobody'",
    "renumber an event": "UPDATE audit_auditevent SET seq = 300 WHERE seq = 3",
    "remove an event": "DELETE FROM audit_auditevent WHERE seq = 3",
    "remove the last event": "DELETE FROM audit_auditevent WHERE seq = 10",
    "remove every event": "DELETE FROM audit_auditevent",
    "rewind the head": "UPDATE audit_audithead SET seq = 9, chain = (SELECT chain FROM audit_auditevent WHERE seq = 9)",
    "another chain for the head": "UPDATE audit_audithead SET chain = 'f'",
    "a head beyond the last event": "UPDATE audit_audithead SET seq = 11",
    "remove the head": "DELETE FROM audit_audithead",
    "a second head": "INSERT INTO audit_audithead (id, seq, chain) VALUES (2, 0, 'f')",
    "an event after a gap": copy(10, seq="12", prev="chain", chain="'x'"),
    "an event that follows another": copy(10, seq="11", chain="'x'"),
    "change a reference": "UPDATE audit_auditreference SET reference = 'REQ-99' WHERE seq = 3 AND reference = 'REQ-3'",
    "remove a reference": "DELETE FROM audit_auditreference WHERE seq = 3",
    "another reference for an event": "INSERT INTO audit_auditreference (seq, reference) VALUES (3, 'REQ-99')",
    "another reference for the last event": "INSERT INTO audit_auditreference (seq, reference) VALUES (10, 'REQ-99')",
    "a reference without an event": "INSERT INTO audit_auditreference (seq, reference) VALUES (11, 'REQ-99')",
}
# each would take a row's place without any DELETE or UPDATE
REPLACE = "INSERT OR REPLACE"
SQLITE_ATTACKS = {
    "replace an event": copy(3, REPLACE, actor="'nobody'"),
    "replace the last event": copy(10, REPLACE, actor="'nobody'"),
    "replace an event by its chain": copy(3, REPLACE, seq="11", prev=LAST),
    "replace the head": f"{REPLACE} INTO audit_audithead (id, seq, chain) VALUES (1, 0, 'f')",
    "update or replace": "UPDATE OR REPLACE audit_auditevent SET seq = 4 WHERE seq = 3",
}
POSTGRES_ATTACKS = {
    "truncate the events": "TRUNCATE audit_auditevent",
    "truncate the references": "TRUNCATE audit_auditreference",
    "truncate the head": "TRUNCATE audit_audithead",
    "an event whose leaf is another": copy(
        10, seq="11", prev="chain", leaf="repeat('0', 64)", chain=chain_over("repeat('0', 64)")
    ),
    "an event whose chain is another": copy(10, seq="11", prev="chain", chain="repeat('0', 64)"),
    "an event with the chain of another past": copy(10, seq="11", prev="chain", chain=chain_over("leaf", "leaf")),
    "upsert an event": copy(10, then="ON CONFLICT (seq) DO UPDATE SET actor = 'nobody'"),
    "upsert the head": """INSERT INTO audit_audithead (id, seq, chain) VALUES (1, 0, 'f')
        ON CONFLICT (id) DO UPDATE SET seq = 0""",
}
HERE = ATTACKS | (SQLITE_ATTACKS if connection.vendor == "sqlite" else POSTGRES_ATTACKS)


def rows() -> list[tuple]:
    references = AuditReference.objects.order_by("seq", "reference").values_list("seq", "reference")
    return [*AuditEvent.objects.order_by("seq").values_list(), *references, *AuditHead.objects.values_list()]


@pytest.mark.parametrize("attack", HERE)
def test_refused(attack: str) -> None:
    before = rows()
    with pytest.raises(IntegrityError):
        run(HERE[attack])
    assert rows() == before


@pytest.mark.parametrize("attack", HERE)
def test_each_attack_would_work_without_the_triggers(attack: str) -> None:
    """Otherwise the test above would prove nothing: the statement could be refused for being wrong."""
    before = rows()
    with trail.triggers_off():
        try:
            run(HERE[attack])
        except Error as error:  # what the tables' own constraints refuse already, triggers or not
            assert attack == "a second head", error
            return
    assert rows() != before


def test_appending_goes_on() -> None:
    happen()
    assert AuditHead.objects.get().seq == 11
    assert verify().ok


def test_helper_turns_the_triggers_on_again() -> None:
    with trail.triggers_off():
        pass
    with pytest.raises(IntegrityError):
        run(ATTACKS["remove an event"])
