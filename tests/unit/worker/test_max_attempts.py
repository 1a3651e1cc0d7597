"""Waiting is not failing: what counts as a failed attempt, and when a deployment counts as away."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from portal.access import grant_changes, grants
from portal.access.models import Grant
from portal.access.operation_names import REMOVE_AGAIN
from portal.airflow import health
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.core.errors import Conflict
from portal.operations import outbox
from portal.operations.handling import MAX_ATTEMPTS
from portal.operations.models import Operation
from portal.worker import alarms, executor, timers
from tests import factories


def the_operation():
    return Operation.objects.order_by("-pk").first()


def try_again():
    """As if the time to wait were over."""
    Operation.objects.filter(status="queued").update(not_before=timezone.now())
    return factories.work_off()


def test_one_call_without_an_answer_blocks_no_other(member, cast):
    """The deployment is looked at at once, which finds it well; what failed waits for its own time."""
    member.fail_next(".*/users/employee.*", "close", times=99)
    factories.request_at_status("approved")
    factories.work_off()
    assert Deployment.objects.get().state.status == "up"
    assert health.is_due(Deployment.objects.get()), "it is suspected"
    factories.look_at_all()
    assert Deployment.objects.get().state.status == "up"
    assert Verb.DEPLOYMENT_DOWN not in factories.verbs()
    factories.request_at_status("approved", by="colleague")
    factories.work_off()
    assert Grant.objects.get(beneficiary=cast["colleague"]).status == "active"
    assert Grant.objects.get(beneficiary=cast["employee"]).status == "applying"


def test_postponed_operations_keep_their_time_after_an_outage(member):
    member.stop()
    factories.request_at_status("approved")
    factories.work_off()
    factories.look_at_all()
    later = timezone.now() + timedelta(seconds=20)
    Operation.objects.update(not_before=later)
    member.start()
    health.check(Deployment.objects.get())
    assert Deployment.objects.get().state.status == "up"
    assert the_operation().not_before == later


def test_waiting_does_not_count_as_a_failure(member):
    """Waits that Airflow asks for, and outages, do not count as failed attempts."""
    member.fail_next(".*/users/employee.*", "429", times=999)
    factories.request_at_status("approved")
    factories.work_off()
    for _ in range(MAX_ATTEMPTS + 1):
        try_again()
    assert the_operation().attempts > MAX_ATTEMPTS
    assert the_operation().failures == 0
    member._failures.clear()
    member.fail_next(".*/users/employee.*", "close", times=999)
    for _ in range(MAX_ATTEMPTS + 1):
        try_again()
    assert the_operation().failures == 0
    member._failures.clear()
    member.fail_next(".*/users/employee.*", "500", times=999)
    try_again()
    assert (the_operation().failures, Grant.objects.get().status) == (1, "applying")


def test_a_long_outage_causes_no_overflow():
    assert executor.backoff(100_000) <= executor.LONGEST_WAIT


@pytest.mark.parametrize("uncounted", [0, 1, 7])
def test_the_alarm_of_a_removal_is_raised_once_however_often_airflow_only_asked_to_wait(member, cast, uncounted):
    grant = factories.grant_at_status("active")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    member.fail_next("PATCH .*", "500", times=999)
    for _ in range(alarms.AFTER_FAILURES - 1):
        try_again()
    assert Verb.GRANT_END_FAILED not in factories.verbs()
    member._failures.clear()
    member.fail_next("PATCH .*", "429", times=999)
    for _ in range(uncounted):
        try_again()
    assert Verb.GRANT_END_FAILED not in factories.verbs()
    member._failures.clear()
    member.fail_next("PATCH .*", "500", times=999)
    for _ in range(3):
        try_again()
    assert factories.verbs().count(Verb.GRANT_END_FAILED) == 1


@pytest.mark.parametrize("finding", ["not needed", "given up", "to be tried later"])
def test_a_worker_without_its_lease_changes_nothing(member, cast, finding):
    factories.request_at_status("approved")
    late = outbox.claim(the_operation().pk, worker="elsewhere/1/1")
    Operation.objects.update(claimed_by="elsewhere/2/2")
    if finding == "not needed":
        grants.hand_back(grant_id=Grant.objects.get().pk, by=cast["employee"])
    elif finding == "given up":
        member.state.users["employee"].roles = ["Admin"]
    else:
        member.state.users["employee"].active = False
    status = Grant.objects.get().status
    executor.execute(late)
    assert Operation.objects.get(pk=late.pk).status == "running"
    assert Grant.objects.get().status == status
    assert not {Verb.GRANT_FAILED, Verb.GRANT_ACTIVATED, Verb.GRANT_ENDED} & set(factories.verbs())


@pytest.mark.parametrize("trouble", ["no call is answered in time", "it is away", "nothing was tried"])
def test_an_old_removal_is_reported_once(member, cast, trouble):
    grant = factories.grant_at_status("active")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    if trouble == "no call is answered in time":
        member.fail_next("PATCH .*", "close", times=999)
        for _ in range(alarms.AFTER_FAILURES + 1):
            try_again()
        assert the_operation().failures == 0
    elif trouble == "it is away":
        factories.observe(status="down")
    assert alarms.raise_of_old() == 0
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        timers.Timekeeper(timers.DUTIES).do_due()
        assert alarms.raise_of_old() == 0
        try_again()
    assert factories.verbs().count(Verb.GRANT_END_FAILED) == 1


def test_a_removal_reported_by_another_worker_is_not_reported_twice(member, cast):
    """The worker that carries it out has read the row before."""
    grant = factories.grant_at_status("active")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    Operation.objects.filter(status="queued").update(failures=alarms.AFTER_FAILURES)
    member.fail_next("PATCH .*", "500", times=999)
    claimed = outbox.claim(the_operation().pk, worker="test")
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert alarms.raise_of_old() == 1
    told = the_operation().alarmed_at
    with pytest.raises(Conflict):  # so that it is not counted
        alarms._raise(claimed.pk)
    executor.execute(claimed)
    assert factories.verbs().count(Verb.GRANT_END_FAILED) == 1
    assert (the_operation().status, the_operation().alarmed_at) == ("queued", told)


@pytest.mark.parametrize("error", [OperationalError("away"), InterfaceError("connection already closed")])
def test_a_short_database_failure_does_not_count_as_an_attempt(member, monkeypatch, error):
    factories.request_at_status("approved")
    claimed = outbox.claim(the_operation().pk, worker="test")
    closed = []
    monkeypatch.setattr(connection, "close", lambda: closed.append(1))

    def fail_until_closed(execute, sql, params, many, context):
        if not closed:
            raise error
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_until_closed):
        executor.execute(claimed)
    assert closed == [1]
    assert (the_operation().status, the_operation().failures) == ("queued", 0)
    assert the_operation().waiting_for == "Gatehouse's database did not answer."


@pytest.mark.parametrize(
    ("error", "failures", "said"),
    [(OperationalError("away"), 0, "database did not answer"), (RuntimeError("unforeseen"), 1, "failed unexpectedly")],
)
def test_an_operation_that_could_not_be_settled_is_tried_again_at_once(member, monkeypatch, error, failures, said):
    grant = factories.grant_at_status("applying")
    claimed = outbox.claim(the_operation().pk, worker="test")
    monkeypatch.setattr(connection, "close", lambda: None)  # it is the test's as well
    failed = []

    def fail_once(execute, sql, params, many, context):
        if 'INSERT INTO "audit_auditevent"' in sql and Verb.GRANT_ACTIVATED.value in str(params) and not failed:
            failed.append(sql)
            raise error
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail_once):
        executor.execute(claimed)
    assert failed
    assert (the_operation().status, the_operation().failures) == ("queued", failures)
    assert said in the_operation().waiting_for
    Operation.objects.update(not_before=timezone.now())
    factories.work_off()
    grant.refresh_from_db()
    assert (the_operation().status, grant.status) == ("succeeded", "active")
    assert factories.verbs().count(Verb.GRANT_ACTIVATED) == 1


def test_a_removal_within_a_retry_is_not_reported(member, cast):
    """It waits for an Airflow that is away, and is left out as soon as that answers."""
    grant = factories.grant_at_status("active")
    Grant.objects.filter(pk=grant.pk).update(status="failed", failure="x")
    grant.refresh_from_db()
    grant_changes.add_operation(REMOVE_AGAIN, grant, by=None)
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        grants.retry(grant_id=grant.pk, by=cast["admin"])
        assert alarms.raise_of_old() == 0
        assert Verb.GRANT_END_FAILED not in factories.verbs()
        try_again()
    assert Operation.objects.get(kind="remove_again").status == "cancelled"
