"""Cancelling and retrying runs: once however often it is tried, never over an end that came first, recorded."""

from __future__ import annotations

import pytest

from accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags import actions
from portal.dags.models import Run
from portal.dags.runs import run_actions
from portal.operations.models import Operation
from tests import factories

CANCEL = "PATCH .*/dagRuns/[^/]*"
CLEAR = "POST .*/(clear|clearTaskInstances)"


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    """All of this is the same on Airflow 2 and 3."""
    return request.param


@pytest.fixture
def run(airflow, cast):
    """A run that goes on."""
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "EU"}, note="for the board")
    factories.work_off()
    airflow.set_run_states("running")
    return follow(run)


def follow(run):
    Run.objects.update(next_look="2020-01-01T00:00Z")
    factories.follow_runs()
    run.refresh_from_db()
    return run


def end(airflow, run, state):
    airflow.set_run_states(state)
    assert follow(run).status == state
    return run


def there(airflow):
    (found,) = airflow.state.runs
    return found


def task_states(airflow):
    return {task.task_id: task.state for task in airflow.state.task_instances(there(airflow))}


def last(verb):
    return AuditEvent.objects.filter(verb=verb).order_by("seq").last()


# --- cancel ----------------------------------------------------------------------------------------------------------
def test_a_cancelled_run_is_failed_in_airflow_and_says_who_and_why(airflow, run, cast):
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    factories.work_off()
    operation.refresh_from_db()
    run.refresh_from_db()
    assert (operation.status, run.status, there(airflow).state) == ("succeeded", "failed", "failed")
    assert run.remark == "Cancelled by colleague: the wrong day"
    assert there(airflow).note == (
        f"Requested by colleague through Gatehouse, {run.ref}: for the board. Cancelled by colleague: the wrong day."
    )
    assert "is cancelled" in sentence(last(Verb.RUN_CANCELLED))
    assert follow(run).remark == "Cancelled by colleague: the wrong day"


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_has_ended_is_not_cancelled(airflow, run, cast, state):
    end(airflow, run, state)
    before = there(airflow).ended_at
    with pytest.raises(Conflict, match="already ended"):
        run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    assert last(Verb.RUN_CANCEL_REFUSED).outcome == "refused"
    assert (there(airflow).state, there(airflow).ended_at) == (state, before)


@pytest.mark.parametrize("state", ["success", "failed"])
def test_a_run_that_ends_before_it_is_cancelled_is_left_as_it_is(airflow, run, cast, state):
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    airflow.set_run_states(state)
    before = there(airflow).ended_at
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state, there(airflow).ended_at) == ("failed", state, before)
    assert "had already ended" in operation.error
    assert last(Verb.RUN_CANCEL_FAILED).outcome == "failed"
    assert not airflow.calls(CANCEL)
    assert follow(run).status == state


@pytest.mark.parametrize("how", ["drop", "500"])
def test_however_the_answer_to_a_cancel_is_lost_it_is_done_once(airflow, run, cast, how):
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    airflow.fail_next(CANCEL, how)
    factories.work_off()
    follow(run)
    factories.work_on()
    operation.refresh_from_db()
    run.refresh_from_db()
    assert (operation.status, run.status) == ("succeeded", "failed")
    assert operation.before == {"state": "running"}
    assert not AuditEvent.objects.filter(verb=Verb.RUN_CHANGED).exists(), "it was no change by somebody else"
    assert len(AuditEvent.objects.filter(verb=Verb.RUN_CANCELLED)) == 1


def test_a_run_that_is_cancelled_before_it_is_started_never_starts(airflow, cast):
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={})
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="a mistake")
    factories.work_off()
    factories.work_on()
    run.refresh_from_db()
    operation.refresh_from_db()
    assert (run.status, operation.status, airflow.state.runs) == ("failed", "cancelled", [])
    assert run.error == "Cancelled by colleague before it was started: a mistake"


def test_a_run_is_cancelled_once(airflow, run, cast):
    run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    with pytest.raises(Conflict, match=r"colleague asked on .* is cancelled \(OP-"):
        run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    with pytest.raises(Conflict, match="asked on"):
        run_actions.retry(by=cast["colleague"], run=run)


# --- retry -----------------------------------------------------------------------------------------------------------
def test_a_retried_run_is_queued_again_and_followed_to_its_new_end(airflow, run, cast):
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run, reason="the ledger is open again")
    factories.work_off()
    operation.refresh_from_db()
    run.refresh_from_db()
    assert (operation.status, run.status, run.ended_at, there(airflow).state) == ("succeeded", "queued", None, "queued")
    assert there(airflow).note.endswith("for the board. Retried by colleague: the ledger is open again.")
    assert follow(run).status == "queued"
    airflow.set_run_states("success")
    assert follow(run).status == "success"
    finished = AuditEvent.objects.filter(verb=Verb.RUN_FINISHED).order_by("seq")
    assert [event.outcome for event in finished] == ["failed", "success"]
    assert not AuditEvent.objects.filter(verb=Verb.RUN_CHANGED).exists()


@pytest.mark.parametrize("meanwhile", ["", "success", "failed"])
def test_however_the_answer_to_a_retry_is_lost_the_tasks_run_once_more(airflow, run, cast, meanwhile):
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run)
    airflow.fail_next(CLEAR, "drop")
    factories.work_off()
    if meanwhile:
        airflow.set_run_states(meanwhile)
    follow(run)
    factories.work_on()
    operation.refresh_from_db()
    assert (operation.status, operation.before) == ("succeeded", {"state": "failed"})
    assert len(airflow.calls(CLEAR)) == 1
    assert follow(run).status == (meanwhile or "queued")
    assert not AuditEvent.objects.filter(verb=Verb.RUN_CHANGED).exists()


def test_a_cancelled_run_is_retried_with_the_tasks_that_were_skipped(airflow, run, cast):
    run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    factories.work_off()
    assert task_states(airflow) == {"collect": "failed", "publish": "skipped"}
    follow(run)
    operation = run_actions.retry(by=cast["colleague"], run=run)
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state) == ("succeeded", "queued")
    assert task_states(airflow) == {"collect": None, "publish": None}


def test_the_skipped_tasks_of_a_run_that_failed_by_itself_stay_skipped(airflow, run, cast):
    there(airflow).task_states = {"collect": "skipped", "publish": "failed"}
    end(airflow, run, "failed")
    run_actions.retry(by=cast["colleague"], run=run)
    factories.work_off()
    assert task_states(airflow) == {"collect": "skipped", "publish": None}


def test_a_retry_without_a_task_to_run_again_says_so(airflow, run, cast):
    """Somebody marked it failed in Airflow after its tasks had succeeded."""
    there(airflow).task_states = {"collect": "success", "publish": "success"}
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run)
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state) == ("failed", "failed")
    assert operation.error == "None of its tasks failed. Choose the tasks to run again."
    assert follow(run).status == "failed"


def test_a_retry_that_did_not_reach_airflow_is_sent_again(airflow, run, cast):
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run)
    airflow.fail_next(CLEAR, "close")
    factories.work_off()
    factories.work_on()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state) == ("succeeded", "queued")


def test_a_run_that_was_retried_in_airflow_first_is_left_to_run(airflow, run, cast):
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run)
    airflow.state.set_state(there(airflow), "queued")
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, airflow.calls(CLEAR)) == ("succeeded", [])


def test_one_task_of_a_run_runs_again_with_those_that_depend_on_it(airflow, run, cast):
    end(airflow, run, "success")
    run_actions.clear_tasks(by=cast["colleague"], run=run, tasks=["collect"], reason="late orders")
    factories.work_off()
    tasks = {task.task_id: task.state for task in airflow.state.task_instances(there(airflow))}
    assert tasks == {"collect": None, "publish": None}
    run.refresh_from_db()
    assert run.status == "queued"
    with pytest.raises(Conflict, match="not ended yet"):
        run_actions.clear_tasks(by=cast["colleague"], run=run, tasks=["collect"])


@pytest.mark.parametrize(
    ("tasks", "words"), [([], "at least one"), (["nope"], "has no task “nope”. Its tasks: collect, publish")]
)
def test_only_tasks_of_the_run_run_again(airflow, run, cast, tasks, words):
    end(airflow, run, "failed")
    with pytest.raises(Invalid, match=words):
        run_actions.clear_tasks(by=cast["colleague"], run=run, tasks=tasks)
    assert last(Verb.RUN_RETRY_REFUSED).outcome == "refused"


def test_a_successful_run_is_not_retried(airflow, run, cast):
    end(airflow, run, "success")
    with pytest.raises(Conflict, match="nothing to retry"):
        run_actions.retry(by=cast["colleague"], run=run)


# --- who, and the check right before the change ----------------------------------------------------------------------
def test_the_requester_may_while_the_policy_names_them(airflow, run, cast):
    """employee is in the policy's may_request, and not in `who`."""
    end(airflow, run, "failed")
    with pytest.raises(Refused, match=r"may not retry runs of sales_report\. Allowed: group sales"):
        run_actions.retry(by=cast["employee"], run=run)
    Run.objects.update(requested_by=cast["employee"])
    assert run_actions.retry(by=cast["employee"], run=run).status == "queued"


@pytest.mark.parametrize("stored", ["success", "failed"])
def test_an_approval_of_one_run_does_not_cover_its_repetition(airflow, run, cast, stored):
    """employee, who may only ask, cannot run the tasks of a successful run again; colleague in `who` can."""
    end(airflow, run, "failed")
    Run.objects.update(requested_by=cast["employee"])
    asked = run_actions.clear_tasks(by=cast["employee"], run=run, tasks=["collect"])
    Run.objects.update(status=stored)  # it succeeded before the worker executed this
    airflow.state.runs[0].state = "success"
    factories.work_off()
    asked.refresh_from_db()
    assert (asked.status, there(airflow).state) == ("failed", "success")
    Run.objects.update(status="success")
    with pytest.raises(Refused) as refusal:
        run_actions.clear_tasks(by=cast["employee"], run=run, tasks=["collect"])
    assert refusal.value.reason == "needs_approval"
    assert last(Verb.RUN_RETRY_REFUSED).outcome == "refused"
    assert run_actions.clear_tasks(by=cast["colleague"], run=run, tasks=["collect"]).status == "queued"


def test_nobody_does_what_the_catalogue_does_not_offer(airflow, run, cast):
    Dag.objects.update(actions=["trigger"])
    with pytest.raises(Refused) as refusal:
        run_actions.cancel(by=cast["colleague"], run=run, reason="why")
    assert refusal.value.reason == "not_offered"


def test_a_read_only_airflow_is_not_changed(airflow, run, cast):
    Deployment.objects.update(read_only=True)
    with pytest.raises(Refused) as refusal:
        run_actions.cancel(by=cast["colleague"], run=run, reason="why")
    assert refusal.value.reason == "read_only"


@pytest.mark.parametrize("lost", ["left the group", "deactivated", "no longer offered"])
def test_whoever_may_no_longer_changes_nothing(airflow, run, cast, lost):
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="why")
    if lost == "left the group":
        cast["colleague"].groups.clear()
        Run.objects.update(requested_by=cast["lead"])
    elif lost == "deactivated":
        User.objects.filter(username="colleague").update(is_active=False)
    else:
        Dag.objects.update(actions=["trigger"])
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state) == ("failed", "running")
    assert last(Verb.RUN_CANCEL_FAILED).outcome == "failed"


def test_a_cancel_of_a_retry_replaces_it(airflow, run, cast):
    end(airflow, run, "failed")
    factories.observe(status="down")
    retry = run_actions.retry(by=cast["colleague"], run=run)
    run_actions.cancel(by=cast["colleague"], run=run, reason="no, wait")
    factories.work_on()
    retry.refresh_from_db()
    assert (retry.status, there(airflow).state) == ("superseded", "failed")
    assert last(Verb.RUN_RETRY_LEFT_OUT) is not None
    assert not airflow.calls(CLEAR)


# --- the note --------------------------------------------------------------------------------------------------------
def test_a_note_that_cannot_be_changed_undoes_nothing(airflow, run, cast):
    end(airflow, run, "failed")
    operation = run_actions.retry(by=cast["colleague"], run=run, reason="why")
    airflow.fail_next("PATCH .*/dagRuns/.*", "500", times=9)
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, there(airflow).state) == ("succeeded", "queued")
    assert operation.after["note"].startswith("not changed: ")


def test_a_reason_with_a_credential_is_refused(airflow, run, cast):
    with pytest.raises(Invalid, match="credential"):
        run_actions.cancel(by=cast["colleague"], run=run, reason="see postgres://u:hunter2hunter2@db/x")
    with pytest.raises(Invalid, match="at most 300"):
        run_actions.cancel(by=cast["colleague"], run=run, reason="x" * 301)
    with pytest.raises(Invalid, match="Say why"):
        run_actions.cancel(by=cast["colleague"], run=run, reason=" ")


def test_a_long_note_leaves_out_the_oldest_changes(airflow, run, cast):
    for number in range(6):
        end(airflow, run, "failed")
        run_actions.retry(by=cast["colleague"], run=run, reason=f"{number}" * 290)
        factories.work_off()
        run.refresh_from_db()
    note = there(airflow).note
    assert len(note) <= 1000
    assert note.startswith("Requested by colleague") and note.endswith(f"{'5' * 290}.") and "000" not in note


# --- the trail -------------------------------------------------------------------------------------------------------
def test_without_an_event_nothing_is_asked(airflow, run, cast, request):
    request.getfixturevalue("broken_trail")
    before = Operation.objects.count()
    with pytest.raises(Exception, match="the trail is broken"):
        run_actions.cancel(by=cast["colleague"], run=run, reason="why")
    assert Operation.objects.count() == before
