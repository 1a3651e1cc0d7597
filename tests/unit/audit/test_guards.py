"""Verifying looks that the database still refuses what it is to refuse."""

from __future__ import annotations

import pytest
from django.db import connection

from portal.audit import guards
from portal.audit.verify import verify

pytestmark = pytest.mark.django_db
SQLITE = connection.vendor == "sqlite"
GUARDS = [f"audit_{name}" for name in ("event_follows", "reference_together", "head_forward")]
GUARDS += (
    [f"audit_{one}_kept_{what}" for one in ("event", "reference") for what in ("update", "delete")]
    + ["audit_head_kept_delete", "audit_head_kept_insert"]
    if SQLITE
    else [f"audit_{one}_kept{what}" for one in ("event", "reference", "head") for what in ("", "_truncate")]
)


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


def drop(name: str) -> str:
    table = f"audit_audit{name.split('_')[1]}"
    return f"DROP TRIGGER {name}" if SQLITE else f"DROP TRIGGER {name} ON {table}"


def test_all_guards_are_in_place() -> None:
    assert guards.problems() == []
    assert verify().ok


@pytest.mark.parametrize("name", GUARDS)
def test_a_missing_trigger_is_named(name: str, ten_events: None) -> None:
    run(drop(name))
    result = verify()
    assert result.problems == [f"The guard {name} of the trail is missing."]
    assert (result.ok, result.first_bad) == (False, None)


def test_a_trigger_that_does_nothing_is_found() -> None:
    if SQLITE:
        name = "audit_event_kept_update"
        run(drop(name), f"CREATE TRIGGER {name} BEFORE UPDATE ON audit_auditevent BEGIN SELECT 1; END")
    else:
        name = "audit_event_kept"
        made = f"CREATE TRIGGER {name} BEFORE DELETE ON audit_auditevent FOR EACH ROW EXECUTE FUNCTION audit_kept()"
        run(drop(name), made)
    assert guards.problems() == [f"The guard {name} of the trail was changed."]


def test_a_trigger_of_somebody_else_is_named() -> None:
    if SQLITE:
        run("CREATE TRIGGER quiet AFTER INSERT ON audit_auditevent BEGIN SELECT 1; END")
    else:
        run(
            "CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$",
            "CREATE TRIGGER quiet BEFORE INSERT ON audit_auditevent FOR EACH ROW EXECUTE FUNCTION quiet()",
        )
    assert guards.problems() == ["The trigger quiet on the trail's tables is not Gatehouse's."]


@pytest.mark.postgres
def test_a_disabled_trigger_is_found() -> None:
    run("ALTER TABLE audit_auditevent DISABLE TRIGGER audit_event_kept")
    assert guards.problems() == ["The guard audit_event_kept of the trail is switched off."]


@pytest.mark.postgres
def test_a_replaced_trigger_function_is_found() -> None:
    body = "AS $$ BEGIN RETURN COALESCE(NEW, OLD); END $$"
    run(f"CREATE OR REPLACE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql {body}")
    assert "it calls a different function, audit_kept()." in guards.problems()[0]


@pytest.mark.postgres
def test_a_postgresql_rule_on_the_trail_is_found() -> None:
    run("CREATE RULE swallow AS ON UPDATE TO audit_auditevent DO INSTEAD NOTHING")
    assert guards.problems() == ["The rule swallow on the trail's tables is not Gatehouse's."]


@pytest.mark.postgres
def test_a_session_with_disabled_triggers_is_found() -> None:
    run("SET LOCAL session_replication_role = replica")
    (problem,) = guards.problems()
    assert "session_replication_role = replica" in problem
