"""Limits of a DAG: runs per hour, one run at a time, freezes, a read-only Airflow. Each refusal says until when."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import time_machine

from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.core import clock
from portal.core.errors import Refused
from portal.dags import actions, limits
from portal.dags.models import DagState, Run
from portal.dags.pauses import pausing
from portal.dags.runs import run_actions
from portal.dags.variables import changing
from portal.operations.models import Operation
from tests.factories import offer_renamed, verbs, work_off, work_on

pytestmark = pytest.mark.usefixtures("catalogue")
NOW = datetime(2026, 12, 30, 14, 0, 30, tzinfo=UTC)
CLOSE = {"from": "2026-12-24", "until": "2027-01-02", "except": ["group:data-leads"], "why": "year-end close"}


@pytest.fixture
def dag(catalogue):
    found = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    seen = {"known": True, "secrets": {"declared": [], "places": []}, "seen_at": clock.now()}
    DagState.objects.get_or_create(dag=found, defaults=seen)
    return found


@pytest.fixture
def run(cast, dag):
    def start(by="colleague", **columns):
        Dag.objects.filter(pk=dag.pk).update(**columns)
        return actions.trigger(by=cast[by], dag=dag, conf={})

    return start


def refused(call, reason):
    with pytest.raises(Refused) as refusal:
        call()
    assert refusal.value.reason == reason
    return refusal.value.detail


def test_the_runs_of_a_moving_hour_are_counted(cast, dag, run):
    with time_machine.travel(NOW, tick=False) as time:
        first = run(max_runs_per_hour=2)
        time.shift(timedelta(minutes=20))
        run()
        said = refused(run, "too_many_runs")
        assert said == (
            "The limit of sales_report is 2 runs per hour. "
            "It can be run again at 15:01 UTC, when the oldest of 2 runs is an hour old."
        )
        assert verbs()[-1] == Verb.RUN_REQUEST_REFUSED
        assert limits.why_not_now(cast["colleague"], Dag.objects.get(pk=dag.pk)) == said
        assert "15:21 UTC, when the last run is an hour old" in refused(
            lambda: run(max_runs_per_hour=1), "too_many_runs"
        )
        time.move_to(first.created_at + timedelta(hours=1))
        run(max_runs_per_hour=2)


def test_one_run_at_a_time(cast, dag, run):
    first = run(one_at_a_time=True)
    assert refused(run, "one_at_a_time") == (
        f"Only one run of sales_report at a time is allowed. It can be run when {first.ref} has ended."
    )
    Run.objects.filter(pk=first.pk).update(status="success")
    run()


@pytest.fixture
def ended(cast, run):
    """Two runs that have failed."""
    found = [run(actions=["trigger", "retry"]), run()]
    Operation.objects.update(status="succeeded", settled_at=clock.now())
    Run.objects.update(status="failed", seen_at=clock.now(), ended_at=clock.now())
    Dag.objects.update(one_at_a_time=True)
    return found


def test_a_retry_is_a_run_too(cast, run, ended):
    first, second = ended
    run_actions.retry(by=cast["colleague"], run=first)
    again = partial(run_actions.retry, by=cast["colleague"], run=second)
    assert first.ref in refused(again, "one_at_a_time")  # no worker has executed the retry yet
    assert verbs()[-1] == Verb.RUN_RETRY_REFUSED
    assert first.ref in refused(run, "one_at_a_time")
    Operation.objects.update(status="succeeded", settled_at=clock.now())
    again()


def test_a_run_is_not_retried_while_another_one_runs(cast, run, ended):
    other = run()
    assert other.ref in refused(lambda: run_actions.retry(by=cast["colleague"], run=ended[0]), "one_at_a_time")


def test_a_run_that_airflow_started_counts_as_one(cast, dag, run):
    first = run()
    Run.objects.filter(pk=first.pk).update(status="success")
    listed = [{"id": first.dag_run_id, "state": "running"}, {"id": "scheduled__2026-11-30", "state": "queued"}]
    DagState.objects.update(last_runs=listed)
    assert "the run scheduled__2026-11-30 in Airflow has ended" in refused(
        lambda: run(one_at_a_time=True), "one_at_a_time"
    )
    DagState.objects.update(last_runs=listed[:1])
    run()  # Gatehouse knows that its own run has ended since the list was read


def test_runs_under_another_name_of_the_airflow_count(cast, dag, run, tmp_path):
    first = run(one_at_a_time=True)
    offer_renamed(tmp_path, url=dag.deployment.url)
    renamed = Dag.objects.select_related("deployment").get(dag_id="sales_report", deployment__name="main")
    Dag.objects.filter(pk=renamed.pk).update(one_at_a_time=True)
    said = refused(lambda: actions.trigger(by=cast["colleague"], dag=renamed, conf={}), "one_at_a_time")
    assert first.ref in said


def test_a_frozen_dag_runs_for_nobody_but_the_exceptions(cast, dag, run):
    with time_machine.travel(NOW, tick=False):
        said = refused(lambda: run(freeze=[CLOSE], who=["group:data"]), "frozen")
        assert said == ("sales_report is frozen now. It can be run after 2 January 2027, 24:00 UTC: year-end close")
        run(by="lead")
    for outside in ("2026-12-23T23:59:59Z", "2027-01-03T00:00:00Z"):
        with time_machine.travel(outside, tick=False):
            run()


def test_freezes_that_follow_each_other_are_one(cast, dag, run):
    later = [
        {"from": "2027-01-10", "until": "2027-01-11", "except": [], "why": "another week"},
        {"from": "2027-01-03T00:00:00Z", "until": "2027-01-04T06:30:00Z", "except": [], "why": "move"},
    ]
    with time_machine.travel(NOW, tick=False):
        said = refused(lambda: run(freeze=[*later, CLOSE]), "frozen")
    assert "after 4 January 2027, 06:30 UTC: move" in said


def test_a_run_is_not_started_in_a_freeze_that_began_meanwhile(airflow, run):
    waiting = run()
    today = clock.now().date().isoformat()
    Dag.objects.update(freeze=[{"from": today, "until": today, "except": [], "why": "stock-taking"}])
    work_off()
    waiting.refresh_from_db()
    assert waiting.status == "failed"
    assert "frozen now" in waiting.error
    assert not airflow.state.runs


def test_the_freeze_of_a_renamed_deployment_holds_at_the_start(airflow, dag, run, tmp_path):
    waiting = run()
    offer_renamed(tmp_path, url=dag.deployment.url)
    today = clock.now().date().isoformat()
    freeze = [{"from": today, "until": today, "except": [], "why": "stock-taking"}]
    Dag.objects.filter(deployment__name="main").update(freeze=freeze)
    work_off()
    waiting.refresh_from_db()
    assert "frozen now" in waiting.error and not airflow.state.runs


def switch_read_only(on):
    Deployment.objects.update(read_only=on)


def test_nothing_new_is_changed_in_a_read_only_airflow(cast, dag, run):
    Deployment.objects.update(read_only=True, variables=[{"key": "report_mode"}])
    lead = {"by": cast["colleague"], "dag": dag}
    changes = [
        run,
        lambda: pausing.pause(**lead, reason="stock-taking"),
        lambda: pausing.unpause(**lead),
        lambda: changing.change(
            by=cast["admin"], deployment=Deployment.objects.get(), key="report_mode", value="fast", reason="month-end"
        ),
    ]
    for change in changes:
        said = refused(change, "read_only")
        assert said.startswith("Nothing is changed in Airflow on demo now, because it is read-only.")
    assert not Operation.objects.exists()
    assert verbs()[-4:] == [
        Verb.RUN_REQUEST_REFUSED,
        Verb.DAG_PAUSE_REFUSED,
        Verb.DAG_UNPAUSE_REFUSED,
        Verb.VARIABLE_CHANGE_REFUSED,
    ]


def test_an_operation_waits_while_airflow_is_read_only(airflow, run):
    waiting = run()
    switch_read_only(True)
    work_off()
    operation = Operation.objects.get()
    assert (operation.status, operation.attempts) == ("queued", 0)
    switch_read_only(False)
    work_on()
    waiting.refresh_from_db()
    assert waiting.status in ("queued", "running")
