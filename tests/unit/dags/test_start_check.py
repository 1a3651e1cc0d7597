"""The worker checks a run's parameters again before it starts the run: the DAG or the catalogue may have changed."""

from __future__ import annotations

import pytest

from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.dags import actions
from portal.dags.models import DagState
from tests import factories

POST = "POST /api/v[12]/dags/sales_report/dagRuns"


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    return request.param


@pytest.fixture
def dag(airflow):
    return Dag.objects.select_related("deployment", "state").get(dag_id="sales_report")


@pytest.fixture
def params(airflow):
    return airflow.state.dags["sales_report"].params


def started(run):
    factories.work_off()
    run.refresh_from_db()
    return run.status, run.error


def test_parameters_that_no_longer_fit_the_dag_start_no_run(airflow, dag, params, cast):
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"})
    params["region"]["schema"] = {"type": "string", "enum": ["APAC", "EU"]}
    why = 'Its parameters do not fit the DAG as it is now. region: "KR" is not possible: choose one of APAC, EU.'
    assert started(run) == ("failed", why)
    assert factories.verbs()[-1] == Verb.RUN_START_FAILED
    assert why in sentence(AuditEvent.objects.latest("seq"))
    assert airflow.calls(POST) == []


def test_a_run_that_an_earlier_attempt_started_is_found_although_the_dag_was_changed(airflow, dag, params, cast):
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"})
    airflow.fail_next(POST, "drop")
    airflow.fail_next("GET .*/dagRuns/.*", "close", times=50)
    factories.work_off()
    airflow._failures.clear()
    params["region"]["schema"] = {"type": "string", "enum": ["APAC", "EU"]}
    factories.work_on()
    run.refresh_from_db()
    assert (run.status, len(airflow.state.runs)) == ("queued", 1)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"locked": {"region": "EU"}}, "“region” is now fixed to another value by the catalogue."),
        ({"requester_param": "date"}, "“date” is now fixed to another value by the catalogue."),
        ({"bounds": {"region": {"enum": ["EU"]}}}, 'Region (region): "KR" is not possible: choose one of EU.'),
    ],
)
def test_a_rule_that_the_catalogue_got_meanwhile_holds(airflow, dag, cast, changed, words):
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"})
    Dag.objects.update(**changed)
    status, error = started(run)
    assert status == "failed" and words in error
    assert airflow.calls(POST) == []


def test_what_was_requested_before_the_dag_was_read_is_checked_at_the_start(airflow, dag, cast):
    DagState.objects.all().delete()
    dag = Dag.objects.get(pk=dag.pk)
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"regoin": "KR"})
    status, error = started(run)
    assert status == "failed" and "The DAG has no parameter “regoin”. It has " in error
    assert airflow.calls(POST) == []


def test_a_secret_that_no_longer_fits_is_not_repeated(airflow, dag, params, cast):
    params["pin"] = {"value": None, "schema": {"type": ["null", "string"], "format": "password"}}
    Dag.objects.update(undeclared=True)
    run = actions.trigger(by=cast["colleague"], dag=Dag.objects.get(pk=dag.pk), conf={"pin": "hunter-1"})
    params["pin"]["schema"] = {"type": "string", "format": "password", "maxLength": 4, "enum": ["hunter-2"]}
    status, error = started(run)
    assert status == "failed" and "pin" in error
    assert "hunter" not in error + sentence(AuditEvent.objects.latest("seq"))
