"""The state of deployments and people's Airflow accounts move out of the catalogue's tables, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from portal.airflow.models import AirflowAccount, DeploymentState
from portal.catalogue.models import Deployment

BEFORE = [("catalogue", "0003_account_ids"), ("airflow", None)]
NOW = datetime(2026, 11, 21, 9, 30, 0, 123456, tzinfo=UTC)
LACKING = {"granter": [["can_create on Roles", "make the roles for access to single DAGs"]], "runner": []}
FOUND = {
    "looked_into_at": (NOW - timedelta(minutes=3)).isoformat(),
    "auth_manager": "FAB",
    "missing": {"backfills": "Airflow 2 has no backfills in its API"},
    "cannot": [["backfills", "Airflow 2 has no backfills in its API"]],
    "can": ["task logs"],
    "lacking": LACKING,
    "health": {"scheduler": "healthy", "triggerer": ""},
    "rate_limits": {"granter": {"limit": 100, "remaining": 7, "reset": 30.0}, "runner": None},
    "clock_ahead": 4.2,
}


@pytest.fixture
def old(transactional_db):
    """The models as they were before; afterwards the database is as it should be again."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    accounts = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] == "accounts"]
    yield executor.loader.project_state([BEFORE[0], *accounts]).apps
    upgrade()


def upgrade():
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def deployment(old, name, **columns):
    given = {"url": f"http://127.0.0.1/{name}", "api": "v2", **columns}
    return old.get_model("catalogue", "Deployment").objects.create(name=name, **given)


def test_all_that_was_found_of_a_deployment_is_kept(old):
    deployment(
        old,
        "up",
        status="up",
        status_since=NOW - timedelta(days=1),
        status_detail="version: timed out",
        checked_at=NOW,
        airflow_version="3.3.2",
        found=FOUND,
    )
    upgrade()
    state = DeploymentState.objects.get(deployment__name="up")
    assert (state.status, state.status_since) == ("up", NOW - timedelta(days=1))
    assert (state.status_detail, state.checked_at, state.airflow_version) == ("version: timed out", NOW, "3.3.2")
    assert (state.auth_manager, state.examined_at) == ("FAB", NOW - timedelta(minutes=3))
    assert (state.missing, state.lacking) == (FOUND["missing"], LACKING)
    assert (state.health, state.rate_limits, state.clock_ahead) == (FOUND["health"], FOUND["rate_limits"], 4.2)
    assert (state.asks_to_wait, state.waits_until) == (False, None)
    assert not (state.granter_refused or state.runner_refused)


@pytest.mark.parametrize(
    ("found", "refused"),
    [({"refused": ["runner"]}, ["runner"]), ({"refused": ["granter", "runner"]}, ["granter", "runner"]), ({}, None)],
)
def test_which_account_is_refused_is_kept_and_both_are_where_that_was_not_known(old, found, refused):
    deployment(old, "locked", status="needs_reauthentication", found=found)
    upgrade()
    state = DeploymentState.objects.get()
    assert [name for name in ("granter", "runner") if state.refuses(name)] == (refused or ["granter", "runner"])
    assert (state.lacking, state.examined_at) == ({}, None)


@pytest.mark.parametrize(("until", "known"), [(NOW.isoformat(), NOW), ("", None)])
def test_until_when_a_deployment_accepts_no_calls_is_kept(old, until, known):
    deployment(old, "busy", status="up", found={"asks_to_wait": until})
    upgrade()
    state = DeploymentState.objects.get()
    assert (state.asks_to_wait, state.waits_until) == (True, known)


def test_people_keep_their_airflow_accounts(old):
    there = deployment(old, "demo")
    person = old.get_model("accounts", "User").objects.create(username="employee")
    account = old.get_model("catalogue", "AirflowAccount").objects.create(
        person=person, deployment=there, username="okta_00u1", airflow_id="7", created_by_gatehouse=True
    )
    upgrade()
    [kept] = AirflowAccount.objects.all()
    assert (kept.pk, kept.person.username, kept.deployment.name) == (account.pk, "employee", "demo")
    assert (kept.username, kept.airflow_id, kept.created_by_gatehouse) == ("okta_00u1", "7", True)
    assert kept.found_at == account.found_at


def test_the_way_back_keeps_what_the_earlier_release_needs(transactional_db):
    there = Deployment.objects.create(name="demo", url="http://127.0.0.1/demo", api="v2")
    state = {"status": "needs_reauthentication", "runner_refused": True, "waits_until": NOW, "asks_to_wait": True}
    DeploymentState.objects.create(deployment=there, status_since=NOW, missing={"users": "no"}, **state)
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    try:
        old = executor.loader.project_state([BEFORE[0]]).apps.get_model("catalogue", "Deployment").objects.get()
        assert (old.status, old.status_since) == ("needs_reauthentication", NOW)
        assert (old.found["refused"], old.found["asks_to_wait"]) == (["runner"], NOW.isoformat())
        assert old.found["missing"] == {"users": "no"}
    finally:
        upgrade()
    assert [name for name in ("granter", "runner") if DeploymentState.objects.get().refuses(name)] == ["runner"]
