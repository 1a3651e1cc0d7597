"""Runs, pauses and the following of runs: one run however often it is tried, its end seen and recorded once."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.airflow import clients
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.dags import actions
from portal.dags.models import DagState, Run, RunTasks
from portal.dags.observing import observe_dag
from portal.dags.pauses import pausing
from portal.dags.runs import following
from portal.operations.models import Operation
from portal.worker import polling, runs
from tests import factories
from tests.fake_airflow.rows import FakeRun

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


def test_a_run_starts_with_its_own_id_date_and_a_note_of_who_asked(airflow, run):
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "queued"
    (there,) = airflow.state.runs
    assert (there.dag_run_id, there.logical_date, there.conf) == (run.dag_run_id, run.logical_date, {"region": "KR"})
    assert there.note == f"Requested by colleague through Gatehouse, {run.ref}: for the board"
    assert factories.verbs()[-1] == Verb.RUN_STARTED
    assert {call.account for call in airflow.calls(POST)} == {"gatehouse-runs"}


@pytest.mark.parametrize("how", ["drop", "503", "close"])
def test_however_the_answer_is_lost_there_is_one_run(airflow, run, how):
    airflow.fail_next(POST, how)
    factories.work_off()
    factories.work_on()
    run.refresh_from_db()
    assert run.status == "queued"
    assert len(airflow.state.runs) == 1
    assert factories.verbs().count(Verb.RUN_STARTED) == 1


def test_a_logical_date_that_another_run_has_is_said_with_the_way_out(airflow, run):
    airflow.state.runs.append(FakeRun("sales_report", "manual__1", run.logical_date, {}, None))
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "failed" and "already has a run of sales_report with the same logical date" in run.error
    assert "Run it again: it gets a new date." in run.error
    assert Operation.objects.get().status == "failed"
    assert factories.verbs()[-1] == Verb.RUN_START_FAILED
    assert [there.dag_run_id for there in airflow.state.runs] == ["manual__1"]


def test_a_run_of_a_dag_with_import_errors_says_so(airflow, run):
    sales = airflow.state.dags["sales_report"]
    sales.stale = sales.import_errors = True
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "failed"
    assert "sales_report cannot be run. The file of this DAG has import errors" in run.error
    assert "not found" not in run.error


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
        factories.work_on()
    run.refresh_from_db()
    assert run.status == "failed" and "so it failed" in run.error
    assert airflow.state.runs == []


def test_but_a_run_that_did_start_before_the_outage_is_found(airflow, run):
    airflow.fail_next(POST, "drop")
    airflow.fail_next("GET .*/dagRuns/.*", "close", times=50)
    factories.work_off()
    airflow._failures.clear()
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        factories.work_on()
    run.refresh_from_db()
    assert run.status == "queued"
    assert len(airflow.state.runs) == 1


def test_a_run_is_followed_to_its_end_which_is_recorded_once(airflow, run):
    factories.work_off()
    airflow.set_run_states("running")
    factories.follow_runs()
    run.refresh_from_db()
    assert run.status == "running" and run.started_at
    airflow.set_run_states("success")
    factories.follow_runs()
    factories.follow_runs()
    run.refresh_from_db()
    assert run.status == "success" and run.ended_at
    assert factories.verbs().count(Verb.RUN_FINISHED) == 1


def test_a_run_on_a_deployment_that_left_the_catalogue_is_followed_to_its_end(airflow, run):
    factories.work_off()
    Deployment.objects.update(retired_at=timezone.now())
    airflow.set_run_states("success")
    poller = polling.Poller()
    for deployment in poller._due():
        poller.visit(deployment)
    run.refresh_from_db()
    assert run.status == "success"
    assert polling.Poller()._due() == [], "there is nothing more to ask for at this moment"


def test_a_deployment_that_left_the_catalogue_is_checked_while_its_runs_go_on(airflow, run):
    """It went down meanwhile: without a check it would stay so, and the run would never be asked for again."""
    factories.work_off()
    Deployment.objects.update(retired_at=timezone.now())
    factories.observe(status="down", checked_at=timezone.now() - timedelta(hours=1))
    assert [one.name for one in polling.Poller()._due()] == ["demo"]
    Run.objects.update(status="success", next_look=None)
    assert polling.Poller()._due() == []


def test_two_who_see_the_end_at_once_record_it_once(airflow, run):
    factories.work_off()
    airflow.set_run_states("failed")
    first, second = Run.objects.get(), Run.objects.get()
    runs.read_run(first)
    runs.read_run(second)
    assert first.status == second.status == "failed"
    assert factories.verbs().count(Verb.RUN_FINISHED) == 1
    assert AuditEvent.objects.get(verb=Verb.RUN_FINISHED).outcome == "failed"


def test_a_run_deleted_in_airflow_while_it_goes_on_has_failed(airflow, run):
    factories.work_off()
    airflow.state.runs.clear()
    factories.follow_runs()
    run.refresh_from_db()
    assert run.status == "failed" and "deleted" in run.error
    assert run.gone_at is not None


# --- after its end ---------------------------------------------------------------------------------------------------
def ended(airflow, run, state):
    """`run` at its end, seen to be there, and due to be looked at again."""
    factories.work_off()
    airflow.set_run_states(state)
    factories.follow_runs()
    run.refresh_from_db()
    assert run.status == state
    due_again()


def mark(airflow, state):
    """As somebody does in Airflow, whatever state the run is in; "queued" clears it."""
    (there,) = airflow.state.runs
    airflow.state.set_state(there, state)


def due_again():
    Run.objects.update(next_look=timezone.now())


def seen(run):
    factories.follow_runs()
    run.refresh_from_db()
    return run


@pytest.mark.parametrize(("was", "now"), [("failed", "success"), ("success", "failed")])
def test_a_run_that_is_marked_in_airflow_is_seen_and_is_an_event(airflow, run, was, now):
    ended(airflow, run, was)
    mark(airflow, now)
    assert seen(run).status == now
    event = AuditEvent.objects.latest("seq")
    assert (event.verb, event.target) == (Verb.RUN_CHANGED, run.ref)
    assert f"was changed in Airflow ({run.ref}): from {was} to {now}" in sentence(event)
    due_again()
    factories.follow_runs()
    assert factories.verbs().count(Verb.RUN_CHANGED) == 1


def test_a_run_that_is_cleared_in_airflow_is_followed_to_its_new_end(airflow, run):
    ended(airflow, run, "failed")
    mark(airflow, "queued")
    assert (seen(run).status, run.ended_at) == ("queued", None)
    airflow.set_run_states("running")
    assert seen(run).status == "running"
    airflow.set_run_states("success")
    assert (seen(run).status, run.error) == ("success", "")
    assert factories.verbs()[-2:] == [Verb.RUN_CHANGED, Verb.RUN_FINISHED]
    assert run.remark.startswith("The run had failed, then it was changed in Airflow") and "started again" in run.remark


def test_a_run_that_failed_again_between_two_looks_is_seen(airflow, run):
    ended(airflow, run, "failed")
    first = run.ended_at
    mark(airflow, "queued")
    mark(airflow, "failed")
    assert seen(run).ended_at > first
    assert factories.verbs()[-1] == Verb.RUN_CHANGED


def test_a_run_deleted_after_its_end_stays_what_it_was_and_that_is_an_event(airflow, run):
    ended(airflow, run, "success")
    there = list(airflow.state.runs)
    airflow.state.runs.clear()
    assert seen(run).status == "success"
    assert run.gone_at is not None
    due_again()
    factories.follow_runs()
    assert factories.verbs().count(Verb.RUN_DELETED) == 1
    airflow.state.runs.extend(there)  # as after Airflow's database was restored
    due_again()
    assert seen(run).gone_at is None
    assert factories.verbs()[-1] == Verb.RUN_CHANGED


def test_after_its_end_a_run_is_asked_for_less_and_less_often_and_then_no_more(airflow, run):
    ended(airflow, run, "success")
    begun, looks = timezone.now(), []
    for _ in range(200):
        seen(run)
        if run.next_look is None:
            break
        looks.append(run.next_look)
        with time_machine.travel(run.next_look + timedelta(seconds=1), tick=False):
            seen(run)
    pauses = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(looks)]
    assert run.next_look is None and len(looks) < 80
    assert sum(look < begun + timedelta(minutes=1) for look in looks) >= 3
    assert looks[-1] > begun + timedelta(days=5)
    assert pauses[-1] > pauses[0]


def test_somebody_who_looks_has_it_asked_for_soon_however_old_it_is(airflow, run):
    ended(airflow, run, "failed")
    Run.objects.update(next_look=None, seen_at=timezone.now() - timedelta(days=30))
    mark(airflow, "success")
    assert seen(run).status == "failed"
    following.want(run.pk)
    assert seen(run).status == "success"
    asked = len(airflow.requests)
    following.want(run.pk)  # seen a moment ago
    factories.follow_runs()
    assert len(airflow.requests) == asked


def test_the_tasks_of_a_run_that_goes_on_are_asked_for_while_somebody_looks(airflow, run):
    factories.work_off()
    factories.follow_runs()
    asked = len(airflow.calls("GET .*/taskInstances"))
    factories.follow_runs()
    assert len(airflow.calls("GET .*/taskInstances")) == asked
    following.want(run.pk)
    factories.follow_runs()
    assert len(airflow.calls("GET .*/taskInstances")) == asked + 1
    assert {row["task"] for row in RunTasks.objects.get().rows} == {"collect", "publish"}


def test_the_state_is_kept_though_the_tasks_cannot_be_read(airflow, run):
    ended(airflow, run, "failed")
    RunTasks.objects.all().delete()
    airflow.fail_next("GET .*/taskInstances", "500", times=9)
    mark(airflow, "success")
    assert seen(run).status == "success"
    assert RunTasks.objects.get().problem


def test_a_run_that_airflow_cannot_show_is_not_asked_for_without_end(airflow, run):
    factories.work_off()
    airflow.fail_next("GET .*/dagRuns/.*", "500", times=9)
    factories.follow_runs()
    asked = len(airflow.requests)
    factories.follow_runs()
    assert len(airflow.requests) == asked
    assert RunTasks.objects.get().problem


def test_a_run_that_was_given_up_and_is_there_all_the_same_is_found(airflow, run):
    """The answer to its start was lost, and so was every look for it."""
    factories.work_off()
    Run.objects.update(status="failed", error="no answer", seen_at=None, ended_at=timezone.now())
    airflow.set_run_states("running")
    assert (seen(run).status, run.error) == ("running", "")
    assert "from not started to running" in sentence(AuditEvent.objects.latest("seq"))


def test_a_run_that_was_never_there_is_not_said_to_be_deleted(airflow, run):
    airflow.state.dags["sales_report"].params["region"]["schema"]["enum"] = ["EU"]
    factories.work_off()
    assert (seen(run).status, run.gone_at) == ("failed", None)
    assert factories.verbs()[-1] == Verb.RUN_START_FAILED


# --- runs that do nothing --------------------------------------------------------------------------------------------
def test_a_success_without_any_task_says_so_in_the_trail_too(airflow, run):
    factories.work_off()
    airflow.state.dags["sales_report"].tasks = ()
    airflow.state.dags["sales_report"].end_date = datetime(2026, 2, 1, tzinfo=UTC)
    runs.read_dag(run.dag)
    airflow.set_run_states("success")
    assert seen(run).status == "success"
    assert run.remark.startswith("No task ran") and "end date, 2026-02-01, has passed" in run.remark
    assert "No task ran" in sentence(AuditEvent.objects.latest("seq"))


def test_a_success_whose_tasks_were_all_skipped_says_so(airflow, run):
    factories.work_off()
    airflow.state.runs[0].task_states = {"collect": "skipped", "publish": "skipped"}
    airflow.set_run_states("success")
    assert seen(run).remark == "No task succeeded (2 skipped)."


def test_a_success_that_did_something_needs_no_word(airflow, run):
    factories.work_off()
    airflow.state.runs[0].task_states = {"publish": "skipped"}
    airflow.set_run_states("success")
    assert seen(run).remark == ""


def test_an_airflow_that_is_away_leaves_a_run_as_it_was_seen(airflow, run):
    factories.work_off()
    airflow.stop()
    factories.follow_runs()
    run.refresh_from_db()
    assert run.status == "queued"


def test_pause_and_unpause_are_read_back_and_shown_at_once(airflow, dag, cast):
    pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    assert airflow.state.dags["sales_report"].paused
    assert DagState.objects.get(dag=dag).paused is True
    assert factories.verbs()[-1] == Verb.DAG_PAUSED
    pausing.unpause(by=cast["colleague"], dag=dag)
    factories.work_off()
    assert not airflow.state.dags["sales_report"].paused
    assert DagState.objects.get(dag=dag).paused is False


@pytest.mark.parametrize("done", [True, False])
def test_an_older_pause_does_not_undo_a_newer_unpause(airflow, dag, cast, done):
    """Tried in vain while Airflow was away, it is tried again when somebody has wanted the opposite since."""
    old = pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    airflow.stop()
    factories.work_off()
    airflow.start()
    factories.observe(status="up")
    Operation.objects.update(not_before=timezone.now() + timedelta(minutes=5))
    pausing.unpause(by=cast["colleague"], dag=dag)
    if done:
        factories.work_off()
    factories.work_on()
    old.refresh_from_db()
    assert (old.status, airflow.state.dags["sales_report"].paused) == ("superseded", False)
    assert Verb.DAG_SWITCH_LEFT_OUT in factories.verbs()
    assert Verb.DAG_PAUSED not in factories.verbs()


def test_pausing_what_is_paused_changes_nothing_and_succeeds(airflow, dag, cast):
    airflow.state.dags["sales_report"].paused = True
    pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    operation = Operation.objects.get()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"paused": True}, {"paused": True})
    assert not airflow.calls(SWITCH)


def test_a_switch_that_does_not_move_is_not_believed(airflow, dag, cast):
    airflow.fail_next(SWITCH, "ignore")
    pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    assert Operation.objects.get().status == "queued"
    factories.work_on()
    assert Operation.objects.get().status == "succeeded"
    assert airflow.state.dags["sales_report"].paused


def test_lists_know_each_dag_without_asking_airflow(airflow, dag, run):
    factories.work_off()
    del airflow.state.dags["every_param"]
    airflow.state.dags["flaky_import"].import_errors = True
    DagState.objects.all().delete()
    factories.look_at_dags()
    states = {state.dag.dag_id: state for state in DagState.objects.select_related("dag")}
    assert states["sales_report"].known and states["sales_report"].last_runs[0]["id"] == run.dag_run_id
    assert not states["every_param"].known and "no DAG" in states["every_param"].problem
    assert "import errors" in states["flaky_import"].problem
    asked = len(airflow.requests)
    factories.look_at_dags()
    assert len(airflow.requests) == asked  # fresh enough


def state_of(dag):
    runs.read_dag(Dag.objects.select_related("deployment", "state").get(pk=dag.pk))
    return DagState.objects.get(dag=dag)


def test_what_is_known_of_a_dag_with_import_errors(airflow, dag):
    sales = airflow.state.dags["sales_report"]
    sales.stale = sales.import_errors = True
    airflow.state.import_errors["sales_report.py"] = "Traceback ...\nModuleNotFoundError: No module named 'x'\n"
    state = state_of(dag)
    assert state.problem.startswith("The file of this DAG has import errors in Airflow.")
    assert state.params, "what it takes is known from before"
    assert state_of(dag).problem.endswith("The error: ModuleNotFoundError: No module named 'x'")
    airflow.state.import_errors["sales_report.py"] = "could not connect to postgres://u:hunter2hunter2@db/x"
    assert "hunter2" not in state_of(dag).problem
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_read", "ImportError"))
    assert "may not read them (can_read on ImportError)" in state_of(dag).problem


def test_a_dag_that_is_gone_is_not_one_that_never_was(airflow, dag):
    del airflow.state.dags["sales_report"]
    assert "no longer has" in state_of(dag).problem
    DagState.objects.all().delete()
    assert "has not read the DAG's file yet, or there is none" in state_of(dag).problem
    airflow.state.import_errors["sales_report.py"] = "SyntaxError: invalid syntax"
    assert "The file sales_report.py has import errors: SyntaxError" in state_of(dag).problem
    airflow.state.import_errors = {"other.py": "SyntaxError: invalid syntax"}
    problem = state_of(dag).problem
    assert "1 file of DAGs cannot be imported" in problem and "other.py" not in problem


def test_what_was_learnt_of_a_dag_is_kept_though_its_runs_cannot_be_listed(airflow, dag):
    before = DagState.objects.get(dag=dag).last_runs
    airflow.state.dags["sales_report"].paused = True
    airflow.fail_next("GET .*/dags/sales_report/dagRuns", "500", times=9)
    state = state_of(dag)
    assert (state.paused, state.last_runs) == (True, before)
    assert "could not be read" in state.runs_problem
    airflow._failures.clear()
    assert state_of(dag).runs_problem == ""


def test_its_runs_are_kept_though_the_dag_itself_cannot_be_shown(airflow, dag, run):
    factories.work_off()
    airflow.fail_next("GET .*/dags/sales_report(/details)?", "500", times=9)
    state = state_of(dag)
    assert [one["id"] for one in state.last_runs] == [run.dag_run_id]


def test_an_answer_that_is_older_than_what_is_known_is_dropped(airflow, dag):
    asked_at = timezone.now() - timedelta(seconds=1)
    old = clients.runner(dag.deployment).dag("sales_report")
    airflow.state.dags["sales_report"].paused = True
    state_of(dag)
    observe_dag(dag, old, asked_at=asked_at)
    assert DagState.objects.get(dag=dag).paused is True


def test_a_deployment_is_asked_again_only_when_due(airflow, dag):
    factories.observe(checked_at=None)
    factories.look_at_all()
    asked = len(airflow.requests)
    factories.look_at_all()
    assert len(airflow.requests) == asked
    factories.observe(status="down", checked_at=timezone.now() - timedelta(seconds=5))
    factories.look_at_all()
    assert Deployment.objects.get().state.status == "up"
