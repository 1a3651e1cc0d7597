"""Asking for a run: frozen parameters, decisions, the start, and everything that may prevent it."""

from __future__ import annotations

import hashlib
import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from accounts import enrolment
from accounts.models import User
from accounts.operator import Operator
from portal.approvals import actions
from portal.approvals.models import Request
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.catalogue.models import Dag
from portal.core import clock
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags.models import DagState, Run, RunRequest
from portal.dags.requests import run_starts
from portal.dags.requests.run_requests import ask
from portal.operations.models import Operation
from tests.factories import person, verbs

CONF = {"month": "2026-11", "dry_run": True}
TEXT = '{"dry_run":true,"month":"2026-11"}'
FREEZE = {"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "year-end close"}
DAGS = (
    '[[dags]]\ndeployment = "demo"\ndag = "payroll_close"\nactions = ["trigger", "pause", "retry", "cancel", "logs"]\n'
)


@pytest.fixture
def payroll(catalogue) -> Dag:
    dag = Dag.objects.select_related("deployment").get(dag_id="payroll_close")
    DagState.objects.create(dag=dag, known=True, secrets={"declared": [["pin"]], "places": []}, seen_at=clock.now())
    return dag


def asked(dag: Dag, *, by: str = "employee", conf: object = CONF, start_in: timedelta | None = None, **more: object):
    start = timezone.now() + start_in if start_in else None
    return ask(by=person(by), dag=dag, conf=conf, reason="month-end close", start_at=start, **more)


def approve(request: Request, by: str = "lead") -> RunRequest:
    actions.approve(request_id=request.pk, by=person(by), round=request.round)
    return RunRequest.objects.get(pk=request.pk)


def scheduled(dag: Dag) -> RunRequest:
    request = approve(asked(dag, start_in=timedelta(hours=3)))
    assert (request.start_status, Run.objects.count()) == ("scheduled", 0)
    return request


def at_start(request: RunRequest, *, late: timedelta = timedelta(seconds=1)):
    return time_machine.travel(request.start_at + late, tick=False)


def started_at_its_time(request: RunRequest) -> RunRequest:
    with at_start(request):
        run_starts.start_due()
    return RunRequest.objects.get(pk=request.pk)


def last_event(verb: Verb) -> AuditEvent:
    return AuditEvent.objects.filter(verb=verb).order_by("-seq")[0]


# --- asking ----------------------------------------------------------------------------------------------------------
def test_the_parameters_are_frozen_as_canonical_text_with_its_hash(payroll):
    request = asked(payroll)
    digest = hashlib.sha256(TEXT.encode()).hexdigest()
    assert (request.status, request.conf_text, request.conf_sha256) == ("pending", TEXT, digest)
    said = AuditEvent.objects.get(verb=Verb.REQUEST_SUBMITTED).detail
    assert (said["dag"], said["conf"], said["conf_sha256"]) == ("demo/payroll_close", TEXT, digest)
    assert not Run.objects.exists()
    assert verify().problems == []


@pytest.mark.parametrize(("who", "reason"), [("stranger", "not_eligible"), ("admin", "not_eligible")])
def test_who_may_not_ask_is_refused_and_it_is_recorded(payroll, who, reason):
    with pytest.raises(Refused) as refusal:
        asked(payroll, by=who)
    assert refusal.value.reason == reason
    event = last_event(Verb.REQUEST_SUBMIT_REFUSED)
    assert (event.actor, event.target) == (who, "demo/payroll_close")
    assert not RunRequest.objects.exists()


def test_a_dag_without_triggers_cannot_be_asked_for(payroll):
    Dag.objects.update(actions=["pause"])
    with pytest.raises(Refused, match="does not allow anybody"):
        asked(payroll)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"reason": " "}, "reason"),
        ({"note": "x" * 501}, "note"),
        ({"conf": {"a": float("inf")}}, "conf"),
        ({"conf": {"pin": "***"}}, "conf"),
        ({"start_at": -timedelta(minutes=5)}, "start_at"),
        ({"start_at": timedelta(days=91)}, "start_at"),
    ],
)
def test_what_is_wrong_is_named(payroll, given, field):
    start = {"start_at": timezone.now() + given["start_at"]} if "start_at" in given else {}
    with pytest.raises(Invalid) as wrong:
        ask(**{"by": person("employee"), "dag": payroll, "conf": CONF, "reason": "close", **given, **start})
    assert list(wrong.value.fields) == [field]
    assert not RunRequest.objects.exists()


def test_the_same_form_is_one_request(payroll):
    first, again = asked(payroll, key="form-1"), asked(payroll, key="form-1")
    assert (again.pk, again.sent_again) == (first.pk, True)
    assert RunRequest.objects.count() == 1


def test_the_same_parameters_are_asked_for_once_and_others_again(payroll):
    first = asked(payroll)
    with pytest.raises(Conflict, match=first.ref) as conflict:
        asked(payroll, conf=dict(reversed(CONF.items())))
    assert conflict.value.reason == "already_open"
    asked(payroll, conf={"month": "2026-10"})
    asked(payroll, by="colleague")
    actions.withdraw(request_id=first.pk, by=person("employee"))
    asked(payroll)
    assert RunRequest.objects.filter(closed_at=None).count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_tabs_that_ask_for_the_same_at_one_moment_make_one_request(payroll):
    together, found = threading.Barrier(3), []

    def send(key: str) -> None:
        together.wait()
        try:
            found.append(asked(payroll, key=key).pk)
        except Conflict as conflict:
            found.append(conflict.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(f"form-{number}",)) for number in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert RunRequest.objects.count() == 1
    assert found.count("already_open") == 2


def test_a_secret_is_sealed_and_its_hash_tells_nobody_which_it_is(payroll):
    request = asked(payroll, conf={"pin": "1234"})
    assert request.conf == {"pin": "***"}
    assert "1234" not in f"{request.sealed}{request.conf_text}{AuditEvent.objects.order_by('-seq')[0].payload}"
    guesses = (f'{{"pin":"{guess}"}}' for guess in ("***", "1234"))
    assert request.conf_sha256 not in {hashlib.sha256(guess.encode()).hexdigest() for guess in guesses}
    other = asked(payroll, conf={"pin": "4321"})
    assert other.conf_sha256 != request.conf_sha256, "another secret is another run"
    run = Run.objects.get(request=approve(request))
    assert (run.conf, bool(run.sealed)) == ({"pin": "***"}, True)
    actions.deny(request_id=other.pk, by=person("lead"), comment="no")
    assert set(RunRequest.objects.values_list("sealed", flat=True)) == {""}, "kept no longer than needed"


def test_who_may_run_it_at_once_asks_for_a_later_start_without_a_decision(catalogue):
    dag = Dag.objects.get(dag_id="sales_report")
    request = ask(by=person("colleague"), dag=dag, conf={}, start_at=timezone.now() + timedelta(hours=1))
    assert (request.status, request.start_status, request.policy) == ("approved", "scheduled", "")
    assert started_at_its_time(RunRequest.objects.get()).start_status == "started"
    assert Run.objects.get().requested_by == person("colleague")
    assert verify().problems == []


def test_who_may_no_longer_run_it_at_once_does_not_get_a_later_start(catalogue):
    dag = Dag.objects.get(dag_id="sales_report")
    request = ask(by=person("colleague"), dag=dag, conf={}, start_at=timezone.now() + timedelta(hours=1))
    enrolment.change_groups(by=Operator("root"), username="colleague", remove=["sales"])
    assert "may no longer run sales_report without" in started_at_its_time(request).start_problem


def test_a_policy_without_steps_starts_it_at_once(payroll, change_catalogue):
    change_catalogue((f'{DAGS}policy = "one-lead"', f'{DAGS}policy = "at-once"'))
    request = asked(payroll)
    assert (request.status, RunRequest.objects.get().start_status) == ("approved", "started")
    assert Run.objects.get().request_id == request.pk
    assert verify().problems == []


# --- deciding --------------------------------------------------------------------------------------------------------
def test_the_last_approval_starts_the_run_with_the_frozen_parameters(payroll):
    request = approve(asked(payroll, note="for Kim"))
    run = Run.objects.get()
    assert (request.status, request.start_status) == ("approved", "started")
    assert (run.request_id, run.conf, run.note) == (request.pk, CONF, "for Kim")
    assert (run.requested_by, run.operation.requested_by) == (person("employee"), "employee")
    assert verbs()[-3:] == ["request.approved", "run.requested", "request.run_begun"]
    assert verify().problems == []


@pytest.mark.parametrize("who", ["employee", "stranger", "security"])
def test_only_an_approver_who_did_not_ask_decides(payroll, who):
    request = asked(payroll)
    with pytest.raises(Refused):
        approve(request, who)
    assert not Run.objects.exists()


def test_an_approver_never_approves_an_own_run(payroll):
    request = asked(payroll, by="lead")
    with pytest.raises(Refused) as refusal:
        approve(request, "lead")
    assert refusal.value.reason == "own_request"
    assert approve(request, "lead2").start_status == "started"


def test_an_approval_without_an_event_starts_nothing(payroll, request):
    asking = asked(payroll)
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        approve(asking)
    assert (Request.objects.get().status, Run.objects.exists(), Operation.objects.exists()) == ("pending", False, False)


def test_a_request_without_an_event_is_not_made(payroll, broken_trail):
    with pytest.raises(DatabaseError):
        asked(payroll)
    assert not Request.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_approvals_at_one_moment_start_one_run(payroll):
    request, together, found = asked(payroll), threading.Barrier(2), []

    def decide(name: str) -> None:
        together.wait()
        try:
            approve(request, name)
            found.append("approved")
        except Conflict as conflict:
            found.append(conflict.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(name,)) for name in ("lead", "lead2")]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(found) == ["approved", "conflict"]
    assert Run.objects.count() == 1


def test_a_returned_request_is_sent_again_with_other_parameters_and_start(payroll):
    request = asked(payroll, start_in=timedelta(hours=3))
    actions.return_for_changes(request_id=request.pk, by=person("lead"), comment="October, please")
    start = timezone.now() + timedelta(hours=5)
    resubmit(request_id=request.pk, by=person("employee"), own={"conf": {"month": "2026-10"}, "start_at": start})
    again = RunRequest.objects.get()
    assert (again.round, again.conf, again.start_at) == (2, {"month": "2026-10"}, start)
    assert verify().problems == []
    assert approve(again).start_status == "scheduled"
    started_at_its_time(RunRequest.objects.get())
    assert Run.objects.get().conf == {"month": "2026-10"}
    assert verify().problems == []


def test_a_secret_stays_when_a_returned_request_is_sent_again_without_parameters(payroll):
    request = asked(payroll, conf={"pin": "1234"})
    actions.return_for_changes(request_id=request.pk, by=person("lead"), comment="why?")
    resubmit(request_id=request.pk, by=person("employee"), reason="the new card")
    assert approve(RunRequest.objects.get()).start_status == "started"


def test_it_is_not_changed_to_what_was_asked_for_already(payroll):
    first, second = asked(payroll), asked(payroll, conf={})
    actions.return_for_changes(request_id=second.pk, by=person("lead"), comment="which month?")
    with pytest.raises(Conflict, match=first.ref):
        resubmit(request_id=second.pk, by=person("employee"), own={"conf": CONF})
    assert RunRequest.objects.get(pk=second.pk).conf == {}


# --- the start -------------------------------------------------------------------------------------------------------
def test_a_scheduled_run_starts_at_its_time_and_once(payroll):
    request = scheduled(payroll)
    assert run_starts.start_due() == 0, "not before"
    with at_start(request):
        assert run_starts.start_due() == 1
        assert run_starts.start_due() == 0, "another worker, or the same one after a restart"
    assert Run.objects.count() == Operation.objects.count() == 1
    assert verify().problems == []


@pytest.mark.django_db(transaction=True)
def test_several_workers_start_it_once(payroll):
    request, together, done = scheduled(payroll), threading.Barrier(3), []

    def work() -> None:
        together.wait()
        try:
            done.append(run_starts.start_due())
        finally:
            connection.close()

    with at_start(request):
        threads = [threading.Thread(target=work) for _ in range(3)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert sorted(done) == [0, 0, 1]
    assert Run.objects.count() == 1


def retire(dag: Dag) -> None:
    Dag.objects.filter(pk=dag.pk).update(retired_at=timezone.now())


CHANGES = {
    "is deactivated": lambda _: User.objects.filter(username="employee").update(is_active=False),
    "may no longer run": lambda _: enrolment.change_groups(by=Operator("root"), username="employee", none=True),
    "no longer in the catalogue": retire,
    "does not allow anybody": lambda dag: Dag.objects.filter(pk=dag.pk).update(actions=["pause"]),
    "may no longer run payroll_close.": lambda dag: Dag.objects.filter(pk=dag.pk).update(policy="break-glass"),
    "no longer accepts": lambda dag: Dag.objects.filter(pk=dag.pk).update(locked={"dry_run": False}),
    "would be another one": lambda dag: Dag.objects.filter(pk=dag.pk).update(locked={"env": "prod"}),
    "is frozen now": lambda dag: Dag.objects.filter(pk=dag.pk).update(freeze=[FREEZE]),
}


@pytest.mark.parametrize("why", CHANGES)
def test_what_changes_before_the_start_is_honoured_and_said(payroll, why):
    request = scheduled(payroll)
    CHANGES[why](payroll)
    settled = started_at_its_time(request)
    assert (settled.status, settled.start_status) == ("approved", "not_started")
    assert why in settled.start_problem
    assert not Run.objects.exists()
    event = last_event(Verb.REQUEST_RUN_START_FAILED)
    assert (event.target, event.outcome, event.detail["why"]) == (request.ref, "failed", settled.start_problem)
    assert verify().problems == []


def test_a_start_more_than_an_hour_late_is_given_up(payroll):
    request = scheduled(payroll)
    with at_start(request, late=timedelta(hours=1, seconds=1)):
        run_starts.start_due()
    assert "within one hour" in RunRequest.objects.get().start_problem
    assert not Run.objects.exists()


def test_an_approval_after_the_start_is_refused_and_it_can_be_returned(payroll):
    request = asked(payroll, start_in=timedelta(hours=3))
    with at_start(request, late=timedelta(hours=2)):
        with pytest.raises(Refused, match="start time is over"):
            approve(request)
        actions.return_for_changes(request_id=request.pk, by=person("lead"), comment="another time?")
        with pytest.raises(Invalid) as wrong:
            resubmit(request_id=request.pk, by=person("employee"))
        assert list(wrong.value.fields) == ["start_at"]
        resubmit(request_id=request.pk, by=person("employee"), own={"start_at": None})
        assert approve(RunRequest.objects.get()).start_status == "started"


TAMPERED = {
    "text": {"conf_text": '{"month":"2027-01"}'},
    "text and hash": {
        "conf_text": '{"month":"2027-01"}',
        "conf_sha256": hashlib.sha256(b'{"month":"2027-01"}').hexdigest(),
    },
    "start": {"start_at": timezone.now() + timedelta(minutes=1)},
    "note": {"note": "something else"},
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_row_that_was_changed_in_the_database_is_not_started_and_is_found(payroll, what):
    request = scheduled(payroll)
    RunRequest.objects.filter(pk=request.pk).update(**TAMPERED[what])
    assert request.ref in verify().problems[0]
    started_at_its_time(RunRequest.objects.get())
    assert RunRequest.objects.get().start_status == "not_started"
    assert not Run.objects.exists()


def test_other_sealed_parameters_than_those_that_were_hashed_are_not_started(payroll):
    first = approve(asked(payroll, conf={"pin": "1234"}, start_in=timedelta(hours=3)))
    second = asked(payroll, conf={"pin": "4321"})
    RunRequest.objects.filter(pk=first.pk).update(sealed=second.sealed)
    assert "not those that were requested" in started_at_its_time(first).start_problem


def test_a_row_that_was_changed_in_the_database_is_not_approved(payroll):
    request = asked(payroll)
    RunRequest.objects.filter(pk=request.pk).update(**TAMPERED["text and hash"])
    with pytest.raises(Refused) as refusal:
        approve(request)
    assert refusal.value.reason == "changed_outside"
    assert not Run.objects.exists()


def test_secrets_of_another_key_are_not_started(payroll, settings):
    request = approve(asked(payroll, conf={"pin": "1234"}, start_in=timedelta(hours=3)))
    settings.SECRET_KEY = "another"
    assert "another GATEHOUSE_SECRET_KEY" in started_at_its_time(request).start_problem


# --- cancelling ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("who", "reason"), [("employee", ""), ("lead2", "not this week")])
def test_a_scheduled_start_is_cancelled(payroll, who, reason):
    request = scheduled(payroll)
    cancelled = run_starts.cancel(request_id=request.pk, by=person(who), reason=reason)
    assert (cancelled.status, cancelled.start_status, cancelled.start_problem) == ("approved", "cancelled", reason)
    assert started_at_its_time(request).start_status == "cancelled"
    assert not Run.objects.exists()
    assert last_event(Verb.REQUEST_RUN_CANCELLED).actor == who
    assert verify().problems == []
    with pytest.raises(Conflict, match="cancelled"):
        run_starts.cancel(request_id=request.pk, by=person(who), reason="again")


def test_an_approver_says_why_and_others_cancel_nothing(payroll):
    request = scheduled(payroll)
    with pytest.raises(Invalid, match="Say why"):
        run_starts.cancel(request_id=request.pk, by=person("lead"))
    for name in ("colleague", "admin", "stranger"):
        with pytest.raises(Refused):
            run_starts.cancel(request_id=request.pk, by=person(name), reason="no")
    assert last_event(Verb.REQUEST_RUN_CANCEL_REFUSED).actor == "stranger"
    assert RunRequest.objects.get().start_status == "scheduled"


def test_a_cancelled_start_without_an_event_stays_scheduled(payroll, request):
    planned = scheduled(payroll)
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        run_starts.cancel(request_id=planned.pk, by=person("employee"))
    assert RunRequest.objects.get().start_status == "scheduled"


def test_only_a_scheduled_start_is_cancelled(payroll):
    pending = asked(payroll)
    with pytest.raises(Conflict, match="withdraw the request"):
        run_starts.cancel(request_id=pending.pk, by=person("employee"))
    approve(pending)
    with pytest.raises(Conflict, match="started"):
        run_starts.cancel(request_id=pending.pk, by=person("employee"))


# --- the catalogue ---------------------------------------------------------------------------------------------------
def test_open_requests_lapse_when_the_catalogue_no_longer_offers_the_run(payroll, change_catalogue):
    request = asked(payroll)
    change_catalogue((f'{DAGS}policy = "one-lead"\n', f'{DAGS}who = ["group:sales"]\n'))
    assert "can no longer be asked for" in Request.objects.get(pk=request.pk).closed_because
