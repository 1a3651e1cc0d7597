"""Operations of before their order was kept by Airflow instead of by deployment."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from portal.catalogue.models import Deployment
from portal.operations.models import Operation

BEFORE = [("operations", "0005_roles_again")]


@pytest.fixture
def old(transactional_db):
    """The models as they were before; afterwards the database is as it should be again."""
    executor = MigrationExecutor(connection)
    executor.migrate(BEFORE)
    others = [leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] == "catalogue"]
    yield executor.loader.project_state([*BEFORE, *others]).apps
    upgrade()


def upgrade():
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_switches_and_variables_that_are_not_settled_are_ordered_with_new_ones(old):
    deployment = old.get_model("catalogue", "Deployment").objects.create(
        name="demo", url="https://Airflow.example.com/prod/", api="v2"
    )

    def put(kind, lane, status, **more):
        rows = old.get_model("operations", "Operation").objects
        return rows.create(deployment=deployment, kind=kind, lane=lane, status=status, not_before=now, **more).pk

    now = timezone.now()
    expected = {
        put("pause_dag", "dag/demo/sales", "queued"): "dag/airflow.example.com/prod/sales",
        put("unpause_dag", "dag/demo/payroll", "running", lease_until=now): "dag/airflow.example.com/prod/payroll",
        put("set_variable", f"variable/{deployment.pk}/a/b", "queued"): "variable/airflow.example.com/prod/a/b",
        put("pause_dag", "dag/demo/old", "succeeded", settled_at=now): "dag/demo/old",
        put("trigger_run", "run/1", "queued"): "run/1",
    }
    upgrade()
    assert dict(Operation.objects.values_list("pk", "ordering_key")) == expected


def test_the_way_back_to_a_release_without_superseded_operations(transactional_db, deployment_row):
    superseded = Operation.objects.create(
        kind="pause_dag", deployment=deployment_row, subject="x", ordering_key="x", not_before=timezone.now(),
        status="superseded", settled_at=timezone.now(),
    )  # fmt: skip
    executor = MigrationExecutor(connection)
    executor.migrate([("operations", "0007_ordering_key")])
    with connection.cursor() as cursor:
        cursor.execute("SELECT status FROM operations_operation WHERE id = %s", [superseded.pk])
        assert cursor.fetchone() == ("cancelled",)
    upgrade()


@pytest.fixture
def deployment_row(transactional_db):
    return Deployment.objects.create(name="demo", url="http://127.0.0.1:1", api="v2")
