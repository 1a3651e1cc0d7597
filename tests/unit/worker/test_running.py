"""Runs, pauses and the following of runs: one run however often it is tried, its end seen and recorded once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.dags import actions, live
from portal.dags.models import DagState, Run
from portal.operations.models import Operation
from portal.worker import health, runs
from tests import factories

POST = "POST /api/v[12]/dags/sales_report/dagRuns"
SWITCH = "PATCH /api/v[12]/dags/sales_report"


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    """All of this is the same on Airflow 2 and 3."""
    return request.param


@pytest.fixture
def dag(airflow):
    return Dag.objects.select_related("deployment").get(dag_id="sales_report")


@pytest.fixture
def run(dag, cast):
    return actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "KR"}, note="for the board")


def verbs():
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def try_again():
    Operation.objects.filter(status="queued").update(not_before=timezone.now())
    Deployment.objects.update(status="up")
    factories.work_off()


def test_a_run_starts_with_its_own_id_date_and_a_note_of_who_asked(airflow, run):
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "queued"
    (there,) = airflow.state.runs
    assert (there.dag_run_id, there.logical_date, there.conf) == (run.dag_run_id, run.logical_date, {"region": "KR"})
    assert there.note == f"Requested by colleague through Gatehouse, {run.ref}: for the board"
    assert verbs()[-1] == Verb.RUN_STARTED
    assert {call.account for call in airflow.calls(POST)} == {"gatehouse-runs"}


@pytest.mark.parametrize("how", ["drop", "503", "close"])
def test_however_the_answer_is_lost_there_is_one_run(airflow, run, how):
    airflow.fail_next(POST, how)
    factories.work_off()
    try_again()
    run.refresh_from_db()
    assert run.status == "queued"
    assert len(airflow.state.runs) == 1
    assert verbs().count(Verb.RUN_STARTED) == 1


def test_what_airflow_refuses_fails_with_its_words(airflow, dag, cast):
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "XX"})
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "failed" and "region" in run.error
    assert Operation.objects.get().status == "failed"
    assert verbs()[-1] == Verb.RUN_START_FAILED
    assert airflow.state.runs == []


def test_a_dag_that_is_gone_fails_the_run(airflow, run):
    del airflow.state.dags["sales_report"]
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "failed" and "sales_report" in run.error


def test_nothing_starts_by_itself_an_hour_late(airflow, run):
    airflow.stop()
    factories.work_off()
    airflow.start()
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        try_again()
    run.refresh_from_db()
    assert run.status == "failed" and "not started" in run.error
    assert airflow.state.runs == []


def test_but_a_run_that_did_start_before_the_outage_is_found(airflow, run):
    airflow.fail_next(POST, "drop")
    airflow.fail_next("GET .*", "close", times=50)
    factories.work_off()
    airflow._failures.clear()
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        try_again()
    run.refresh_from_db()
    assert run.status == "queued"
    assert len(airflow.state.runs) == 1


def test_a_run_is_followed_to_its_end_which_is_recorded_once(airflow, run):
    factories.work_off()
    airflow.set_run_states("running")
    runs.follow()
    run.refresh_from_db()
    assert run.status == "running" and run.started_at
    airflow.set_run_states("success")
    runs.follow()
    runs.follow()
    run.refresh_from_db()
    assert run.status == "success" and run.ended_at
    assert verbs().count(Verb.RUN_FINISHED) == 1


def test_two_who_see_the_end_at_once_record_it_once(airflow, run):
    factories.work_off()
    airflow.set_run_states("failed")
    first, second = Run.objects.get(), Run.objects.get()
    live.refresh(first)
    live.refresh(second)
    assert first.status == second.status == "failed"
    assert verbs().count(Verb.RUN_FINISHED) == 1
    assert AuditEvent.objects.get(verb=Verb.RUN_FINISHED).outcome == "failed"


def test_a_run_deleted_in_airflow_is_not_followed_for_ever(airflow, run):
    factories.work_off()
    airflow.state.runs.clear()
    runs.follow()
    run.refresh_from_db()
    assert run.status == "failed" and "deleted" in run.error


def test_an_airflow_that_is_away_leaves_a_run_as_it_was_seen(airflow, run):
    factories.work_off()
    airflow.stop()
    runs.follow()
    run.refresh_from_db()
    assert run.status == "queued"
    with pytest.raises(live.Unavailable):
        live.refresh(run)


def test_pause_and_unpause_are_read_back_and_shown_at_once(airflow, dag, cast):
    actions.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    assert airflow.state.dags["sales_report"].paused
    assert DagState.objects.get(dag=dag).paused is True
    assert verbs()[-1] == Verb.DAG_PAUSED
    actions.unpause(by=cast["colleague"], dag=dag)
    factories.work_off()
    assert not airflow.state.dags["sales_report"].paused
    assert DagState.objects.get(dag=dag).paused is False


@pytest.mark.parametrize("done", [True, False])
def test_an_older_pause_does_not_undo_a_newer_unpause(airflow, dag, cast, done):
    """Tried in vain while Airflow was away, it is tried again when somebody has wanted the opposite since."""
    old = actions.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    airflow.stop()
    factories.work_off()
    airflow.start()
    Deployment.objects.update(status="up")
    Operation.objects.update(not_before=timezone.now() + timedelta(minutes=5))
    actions.unpause(by=cast["colleague"], dag=dag)
    if done:
        factories.work_off()
    try_again()
    old.refresh_from_db()
    assert (old.status, airflow.state.dags["sales_report"].paused) == ("cancelled", False)
    assert Verb.DAG_SWITCH_LEFT_OUT in verbs()
    assert Verb.DAG_PAUSED not in verbs()


def test_pausing_what_is_paused_changes_nothing_and_succeeds(airflow, dag, cast):
    airflow.state.dags["sales_report"].paused = True
    actions.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    operation = Operation.objects.get()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"paused": True}, {"paused": True})
    assert not airflow.calls(SWITCH)


def test_a_switch_that_does_not_move_is_not_believed(airflow, dag, cast):
    airflow.fail_next(SWITCH, "ignore")
    actions.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    assert Operation.objects.get().status == "queued"
    try_again()
    assert Operation.objects.get().status == "succeeded"
    assert airflow.state.dags["sales_report"].paused


def test_lists_know_each_dag_without_asking_airflow(airflow, dag, run):
    factories.work_off()
    del airflow.state.dags["every_param"]
    airflow.state.dags["flaky_import"].import_errors = True
    DagState.objects.all().delete()
    runs.look_at_dags()
    states = {state.dag.dag_id: state for state in DagState.objects.select_related("dag")}
    assert states["sales_report"].known and states["sales_report"].last_runs[0]["id"] == run.dag_run_id
    assert not states["every_param"].known and "no DAG" in states["every_param"].problem
    assert "import errors" in states["flaky_import"].problem
    asked = len(airflow.requests)
    runs.look_at_dags()
    assert len(airflow.requests) == asked  # fresh enough


def test_a_deployment_is_asked_again_only_when_due(airflow, dag):
    Deployment.objects.update(checked_at=None)
    health.look_at_all()
    asked = len(airflow.requests)
    health.look_at_all()
    assert len(airflow.requests) == asked
    Deployment.objects.update(status="down", checked_at=timezone.now() - timedelta(seconds=5))
    health.look_at_all()
    assert Deployment.objects.get().status == "up"
