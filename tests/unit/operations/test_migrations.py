"""Lanes of operations that were queued before lanes named the Airflow."""

from __future__ import annotations

from importlib import import_module

import pytest
from django.apps import apps

from portal.catalogue.models import Dag, Deployment
from portal.dags import actions, variables
from portal.operations import outbox
from portal.operations.models import Operation

migration = import_module("portal.operations.migrations.0006_lanes_by_airflow")


@pytest.mark.usefixtures("airflow")
@pytest.mark.parametrize("status", ["queued", "running"])
def test_switches_and_variables_that_are_not_settled_get_the_lane_of_new_ones(cast, status):
    Deployment.objects.update(variables=["report_mode"])
    on, dag = Deployment.objects.get(), Dag.objects.get(dag_id="sales_report")
    pause = actions.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    change = variables.change(by=cast["admin"], deployment=on, key="report_mode", value="fast", reason="quarter end")
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={})
    expected = dict(Operation.objects.values_list("pk", "lane"))
    if status == "running":
        assert all(outbox.claim(one.pk, worker="test") for one in (pause, change))
    Operation.objects.filter(pk=pause.pk).update(lane="dag/demo/sales_report")
    Operation.objects.filter(pk=change.pk).update(lane=f"variable/{on.pk}/report_mode")
    migration.rename(apps, None)
    assert dict(Operation.objects.values_list("pk", "lane")) == expected
    assert run.operation.lane == f"run/{run.pk}"
