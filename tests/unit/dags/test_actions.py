"""Asking for a run, a pause, an unpause: who may, how often, and that a double click is one run."""

from __future__ import annotations

import threading

import pytest
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.queries import Filters, events
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.core import clock
from portal.core.errors import Invalid, Missing, Refused
from portal.dags import actions, queries
from portal.dags.models import DagState, Run
from portal.dags.pauses import pausing
from portal.operations.models import Operation

pytestmark = pytest.mark.usefixtures("catalogue")


@pytest.fixture
def sales_report(catalogue):
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    DagState.objects.create(dag=dag, known=True, secrets={"declared": [], "places": []}, seen_at=clock.now())
    return dag


@pytest.fixture
def payroll(catalogue):
    return Dag.objects.select_related("deployment").get(dag_id="payroll_close")


def last_event():
    return AuditEvent.objects.order_by("-seq").first()


def test_parameters_are_readable_in_the_trail_and_found(cast, sales_report):
    run = actions.trigger(by=cast["colleague"], dag=sales_report, conf={"메모": "부산항", "rate": 1.5})
    assert last_event().detail["conf"] == '{"메모": "부산항", "rate": 1.5}'
    for word in ("부산항", "메모"):
        assert [event.target for event in events(Filters.parse({"q": word}))] == [run.ref]


def test_a_run_is_named_after_its_operation_and_its_date_is_fixed(cast, sales_report):
    before = timezone.now()
    run = actions.trigger(by=cast["colleague"], dag=sales_report, conf={"region": "KR"}, note="for the board")
    assert run.status == "requested"
    assert run.dag_run_id == f"gatehouse__{run.operation.uuid}"
    assert before <= run.logical_date <= timezone.now()
    assert run.operation.payload == {"run": run.pk}
    assert run.operation.subject == run.ref
    event = last_event()
    assert (event.verb, event.target, event.operation) == (Verb.RUN_REQUESTED, run.ref, run.operation.ref)
    assert '\\"region\\": \\"KR\\"' in event.payload


def test_the_same_form_sent_twice_is_one_run(cast, sales_report):
    first = actions.trigger(by=cast["colleague"], dag=sales_report, conf={}, key="form-1")
    second = actions.trigger(by=cast["colleague"], dag=sales_report, conf={}, key="form-1")
    assert first == second
    assert Run.objects.count() == Operation.objects.count() == 1
    assert actions.trigger(by=cast["colleague"], dag=sales_report, conf={}, key="form-2") != first


@pytest.mark.parametrize("other", [{"conf": {"region": "APAC"}}, {"note": "for Kim"}, {"dag": "flaky_import"}])
def test_the_same_form_with_other_content_is_another_run(cast, sales_report, other):
    """As after the browser's Back: the form has its old key, and what it asks for now is meant."""
    sent = {"by": cast["colleague"], "dag": sales_report, "conf": {"region": "KR"}, "note": "", "key": "form-1"}
    if "dag" in other:
        other = {"dag": Dag.objects.get(dag_id=other["dag"])}
    first, second = actions.trigger(**sent), actions.trigger(**{**sent, **other})
    assert first != second
    assert not second.sent_again
    again = actions.trigger(**sent)
    assert (again, again.sent_again) == (first, True)
    assert actions.trigger(**{**sent, **other}) == second
    assert Run.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_two_tabs_send_one_form_at_the_same_moment(cast, sales_report):
    together, made = threading.Barrier(4), []

    def send(region):
        together.wait()
        try:
            made.append(actions.trigger(by=cast["colleague"], dag=sales_report, conf={"region": region}, key="form-1"))
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(region,)) for region in ("KR", "EU", "KR", "EU")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert sorted(run.conf["region"] for run in Run.objects.all()) == ["EU", "KR"]


def test_runs_without_a_key_are_runs_of_their_own(cast, sales_report):
    actions.trigger(by=cast["colleague"], dag=sales_report, conf={})
    actions.trigger(by=cast["colleague"], dag=sales_report, conf={})
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("who", "reason"), [("employee", "needs_approval"), ("stranger", "not_eligible"), ("admin", "not_eligible")]
)
def test_others_are_refused_with_the_reason(cast, sales_report, who, reason):
    with pytest.raises(Refused, match="group sales") as refusal:
        actions.trigger(by=cast[who], dag=sales_report, conf={})
    assert refusal.value.reason == reason
    assert last_event().verb == Verb.RUN_REQUEST_REFUSED
    assert not Run.objects.exists()


def test_a_dag_for_nobody_at_once(cast, payroll):
    with pytest.raises(Refused, match="nobody"):
        actions.trigger(by=cast["colleague"], dag=payroll, conf={})


def test_an_action_the_catalogue_does_not_offer(cast, sales_report):
    Dag.objects.update(actions=["trigger"])
    sales_report.refresh_from_db()
    with pytest.raises(Refused) as refusal:
        pausing.pause(by=cast["colleague"], dag=sales_report, reason="upkeep")
    assert refusal.value.reason == "not_offered"
    assert last_event().verb == Verb.DAG_PAUSE_REFUSED


def test_locked_parameters_reach_the_run(cast, sales_report):
    Dag.objects.filter(pk=sales_report.pk).update(locked={"dry_run": True})
    assert actions.trigger(by=cast["colleague"], dag=sales_report, conf={"n": 1}).conf == {"n": 1, "dry_run": True}
    with pytest.raises(Invalid):
        actions.trigger(by=cast["colleague"], dag=sales_report, conf={"dry_run": False})


def test_a_note_beyond_its_length(cast, sales_report):
    with pytest.raises(Invalid) as refusal:
        actions.trigger(by=cast["colleague"], dag=sales_report, conf={}, note="x" * 501)
    assert list(refusal.value.fields) == ["note"]


def test_a_pause_needs_a_reason_an_unpause_does_not(cast, sales_report):
    with pytest.raises(Invalid):
        pausing.pause(by=cast["colleague"], dag=sales_report, reason=" ")
    pause = pausing.pause(by=cast["colleague"], dag=sales_report, reason="upkeep")
    unpause = pausing.unpause(by=cast["colleague"], dag=sales_report)
    assert (pause.kind, unpause.kind) == ("pause_dag", "unpause_dag")
    assert pause.ordering_key == unpause.ordering_key
    assert last_event().verb == Verb.DAG_UNPAUSE_REQUESTED


@pytest.mark.parametrize("what", ["trigger", "pause"])
def test_no_event_no_operation(cast, sales_report, broken_trail, what):
    act = {
        "trigger": lambda: actions.trigger(by=cast["colleague"], dag=sales_report, conf={}),
        "pause": lambda: pausing.pause(by=cast["colleague"], dag=sales_report, reason="upkeep"),
    }[what]
    with pytest.raises(DatabaseError):
        act()
    assert not Run.objects.exists()
    assert not Operation.objects.exists()


def test_lists_show_what_one_may_operate_and_what_one_may_ask_for(cast, sales_report):
    mine = {option.dag.dag_id: option for option in queries.operable_by(cast["colleague"])}
    assert mine["sales_report"].may_run and mine["sales_report"].actions == ("trigger", "pause")
    assert not mine["payroll_close"].may_run and "approval" in mine["payroll_close"].why_not
    theirs = {option.dag.dag_id: option for option in queries.operable_by(cast["employee"])}
    assert theirs["sales_report"].reason == "needs_approval"
    assert queries.operable_by(cast["stranger"]) == []


def test_what_one_may_not_see_does_not_exist(cast, sales_report):
    assert queries.dag_for(cast["colleague"], "demo", "sales_report").dag == sales_report
    for deployment, dag_id in (("demo", "nope"), ("elsewhere", "sales_report")):
        with pytest.raises(Missing):
            queries.dag_for(cast["colleague"], deployment, dag_id)
    with pytest.raises(Missing):
        queries.dag_for(cast["stranger"], "demo", "sales_report")


def test_runs_are_seen_by_who_asked_who_operates_the_dag_and_auditors(cast, sales_report):
    run = actions.trigger(by=cast["colleague"], dag=sales_report, conf={})
    for name in ("colleague", "employee", "auditor", "admin"):
        assert queries.run_for(cast[name], run.pk) == run
    for name in ("stranger", "security"):
        with pytest.raises(Missing):
            queries.run_for(cast[name], run.pk)
