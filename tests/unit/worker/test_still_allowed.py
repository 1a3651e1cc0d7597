"""A run or a pause that waited is not carried out for somebody who may no longer ask for it."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.dags import actions
from portal.dags.pauses import pausing
from portal.operations.models import Operation
from tests import factories

POST = "POST /api/v[12]/dags/sales_report/dagRuns"
SWITCH = "PATCH /api/v[12]/dags/sales_report"


@pytest.fixture
def dag(airflow):
    return Dag.objects.select_related("deployment").get(dag_id="sales_report")


@pytest.fixture
def run(dag, cast):
    return actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"})


def lose_the_answer(airflow, call):
    """Airflow does it, and answers nothing for as long as the attempt lasts."""
    airflow.fail_next("GET .*/(dagRuns|dags)/[^/]*", "close", times=99)
    airflow.fail_next(call, "drop", times=99)
    factories.work_off()
    airflow._failures.clear()


def last_verb():
    return AuditEvent.objects.latest("seq").verb


def leave(cast):
    User.objects.filter(pk=cast["colleague"].pk).update(is_active=False)


def lose_the_group(cast):
    cast["colleague"].groups.remove(Group.objects.get(name="sales"))


def withdraw(cast):
    Dag.objects.filter(dag_id="sales_report").update(retired_at=timezone.now())


LOST = [
    (leave, "colleague, who asked for it, is deactivated."),
    (lose_the_group, "colleague, who asked for it, may no longer {} sales_report without an approval."),
    (withdraw, "sales_report is no longer in the catalogue."),
]


@pytest.mark.parametrize(("lose", "why"), LOST)
def test_a_run_that_waited_is_not_started_for_somebody_who_may_no_longer_run_it(airflow, run, cast, lose, why):
    lose(cast)
    factories.work_off()
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", why.format("run"))
    assert not airflow.calls(POST) and not airflow.state.runs
    assert last_verb() == Verb.RUN_START_FAILED


def test_a_run_that_airflow_took_before_is_followed_all_the_same(airflow, run, cast):
    lose_the_answer(airflow, POST)
    assert Operation.objects.get().status == "queued"
    leave(cast)
    factories.work_on()
    run.refresh_from_db()
    assert run.status == "queued" and len(airflow.state.runs) == 1


@pytest.mark.parametrize(("lose", "why"), LOST)
def test_a_pause_that_waited_is_not_done_for_somebody_who_may_no_longer_pause_it(airflow, dag, cast, lose, why):
    pausing.pause(by=cast["colleague"], dag=dag, reason="bad numbers")
    lose(cast)
    factories.work_off()
    assert not airflow.calls(SWITCH)
    assert last_verb() == Verb.DAG_PAUSE_FAILED
    assert Operation.objects.get().error == why.format("pause or unpause")


def test_a_pause_that_airflow_did_before_is_no_failure(airflow, dag, cast):
    pausing.pause(by=cast["colleague"], dag=dag, reason="bad numbers")
    lose_the_answer(airflow, SWITCH)
    assert Operation.objects.get().status == "queued"
    leave(cast)
    factories.work_on()
    assert Operation.objects.get().status == "succeeded"
    assert last_verb() == Verb.DAG_PAUSED
