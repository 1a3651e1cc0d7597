"""Rows made before a column was kept: the migration fills it, row by row."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.models import User
from portal.access.models import AccessRequest
from portal.approvals.models import Request, Submission
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from tests.unit.audit.conftest import Somebody

BEFORE, AFTER = [("access", "0002_created_by_database_clock")], [("access", "0005_names_are_required")]


@pytest.fixture
def old(transactional_db):
    """The models as they were before; afterwards the database is as it should be again."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] == "accounts"]
    others.append(("catalogue", "0004_state_is_not_of_the_file"))
    yield executor.loader.project_state([*BEFORE, *others]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def migrated():
    executor = MigrationExecutor(connection)
    executor.migrate(AFTER)
    return executor.loader.project_state(AFTER).apps


def test_each_grant_is_told_what_it_gave_and_to_which_account(old):
    now = timezone.now()
    person = old.get_model("accounts", "User").objects.create(username="employee")
    deployment = old.get_model("catalogue", "Deployment").objects.create(
        name="demo", url="http://127.0.0.1:1", api="v2"
    )
    old.get_model("catalogue", "AirflowAccount").objects.create(
        person=person, deployment=deployment, username="okta_00u1"
    )
    columns = {"deployment": deployment, "risk": "low", "max_duration": timedelta(hours=8), "policy": "one-lead"}
    entitlements = old.get_model("catalogue", "Entitlement").objects
    user = entitlements.create(key="demo/role/User", kind="role", role="User", title="User", **columns)
    dag = entitlements.create(
        key="demo/dag/sales/view",
        kind="dag",
        role="gatehouse_view_sales_1",
        dag_id="sales",
        level="view",
        title="Sales",
        **columns,
    )

    def grant(status, entitlement=user, **more):
        request = old.get_model("access", "AccessRequest").objects.create(
            requester=person,
            beneficiary=person,
            entitlement=entitlement,
            status="approved",
            duration=timedelta(hours=1),
            policy="one-lead",
            policy_version=1,
            lapses_at=now + timedelta(days=1),
            closed_at=now,
        )
        rows = old.get_model("access", "Grant").objects
        return rows.create(
            request=request,
            entitlement=entitlement,
            beneficiary=person,
            status=status,
            duration=timedelta(hours=1),
            **more,
        ).pk

    active = grant("active", dag, verified_at=now, ends_at=now + timedelta(hours=1))
    failed = grant("failed", failure="Airflow was away")
    scheduled = grant("scheduled")
    ended = grant("ended", verified_at=now, ends_at=now, ended_at=now, end_reason="expired")

    rows = {row.pk: row for row in migrated().get_model("access", "Grant").objects.all()}
    given = rows[active]
    assert (given.deployment_id, given.role, given.dag_id, given.level) == (deployment.pk, dag.role, "sales", "view")
    assert (given.airflow_user, given.sent_at) == ("okta_00u1", now)
    assert given.look_at is not None
    assert (rows[failed].role, rows[failed].airflow_user) == ("User", "okta_00u1")
    assert rows[failed].sent_at == rows[failed].created_at  # it may have changed something
    assert (rows[scheduled].airflow_user, rows[scheduled].sent_at) == ("", None)
    assert (rows[ended].sent_at, rows[ended].look_at) == (now, None)


@pytest.fixture
def not_yet_named(transactional_db):
    """The models before requests said who withdrew them."""
    executor = MigrationExecutor(connection)
    executor.migrate([("access", "0013_kept_for")])
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in ("accounts", "audit", "catalogue")]
    yield executor.loader.project_state([("access", "0013_kept_for"), *others]).apps
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_who_withdrew_a_request_is_read_from_the_trail(not_yet_named):
    old = not_yet_named
    now = timezone.now()
    lead, employee = (old.get_model("accounts", "User").objects.create(username=name) for name in ("lead", "employee"))
    deployment = old.get_model("catalogue", "Deployment").objects.create(
        name="demo", url="http://127.0.0.1:1", api="v2"
    )
    user = old.get_model("catalogue", "Entitlement").objects.create(
        key="demo/role/User", kind="role", role="User", title="User", deployment=deployment, risk="low",
        max_duration=timedelta(hours=8), policy="one-lead",
    )  # fmt: skip
    made = []
    for actor in ("employee", "lead", "somebody"):
        row = old.get_model("access", "AccessRequest").objects.create(
            requester=lead, beneficiary=employee, entitlement=user, status="withdrawn", duration=timedelta(hours=1),
            policy="one-lead", policy_version=1, lapses_at=now + timedelta(days=1), closed_at=now,
        )  # fmt: skip
        made.append(row.pk)
        with recording() as trail:
            trail.add(Verb.REQUEST_WITHDRAWN, by=Somebody(actor), target=f"REQ-{row.pk}", about=[f"REQ-{row.pk}"])
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())
    rows = {row.pk: row.withdrawn_by for row in AccessRequest.objects.all()}
    assert [rows[pk] and rows[pk].username for pk in made] == ["employee", "lead", None]


def test_the_way_back_does_not_delete_requests(transactional_db, request):
    people = User.objects.create(username="employee")
    deployment = Deployment.objects.create(name="demo", url="http://127.0.0.1:1", api="v2")
    asked = Request.objects.create(
        kind="access", submission=Submission.objects.create(by=people), requester=people, beneficiary=people,
        about="demo/role/User", deployment=deployment, risk="low", policy="one-lead", policy_version=1,
        lapses_at=timezone.now() + timedelta(days=1),
    )  # fmt: skip
    executor = MigrationExecutor(connection)
    request.addfinalizer(lambda: MigrationExecutor(connection).migrate(executor.loader.graph.leaf_nodes()))
    with pytest.raises(IrreversibleError, match="Restore the backup"):
        executor.migrate([("access", "0014_withdrawn_by")])
    assert Request.objects.get() == asked
