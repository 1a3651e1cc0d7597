"""Claiming, keeping and settling: one worker at a time, one operation of a lane at a time, nothing lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.catalogue.models import Deployment
from portal.errors import Conflict
from portal.operations import outbox, queries
from portal.operations.models import Operation

S = Operation.Status
K = Operation.Kind


@pytest.fixture
def airflow(db):
    return Deployment.objects.create(name="prod", url="http://127.0.0.1:1", api="v2", status="up")


def put(deployment, lane="roles/prod/1", **changes):
    with transaction.atomic():
        operation = outbox.put(
            K.GRANT_ROLE, deployment=deployment, subject="GR-1", lane=lane, payload={"grant": 1}, by=None
        )
    if changes:
        Operation.objects.filter(pk=operation.pk).update(**changes)
    return operation


def test_a_claim_takes_a_lease_and_counts_the_attempt(airflow):
    operation = put(airflow)
    claimed = outbox.claim(operation.pk, worker="a/1/1")
    assert claimed is not None
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.claimed_by) == (S.RUNNING, 1, "a/1/1")
    assert operation.lease_until > timezone.now() + timedelta(seconds=30)


def test_nobody_claims_what_is_claimed_settled_or_not_due(airflow):
    operation = put(airflow)
    assert outbox.claim(operation.pk, worker="a/1/1")
    assert outbox.claim(operation.pk, worker="b/2/2") is None
    later = put(airflow, lane="other", not_before=timezone.now() + timedelta(minutes=1))
    assert outbox.claim(later.pk, worker="b/2/2") is None
    assert outbox.claim(999_999, worker="b/2/2") is None


def test_one_operation_of_a_lane_runs_at_a_time(airflow):
    first, second, elsewhere = put(airflow), put(airflow), put(airflow, lane="roles/prod/2")
    running = outbox.claim(first.pk, worker="a/1/1")
    assert outbox.claim(second.pk, worker="b/2/2") is None
    assert outbox.claim(elsewhere.pk, worker="b/2/2") is not None
    outbox.succeed(running, before={}, after={})
    assert outbox.claim(second.pk, worker="b/2/2") is not None


def test_the_database_itself_refuses_two_running_in_a_lane(airflow):
    first, second = put(airflow), put(airflow)
    outbox.claim(first.pk, worker="a/1/1")
    with pytest.raises(IntegrityError), transaction.atomic():
        Operation.objects.filter(pk=second.pk).update(status=S.RUNNING, lease_until=timezone.now())


def test_a_worker_that_lost_its_lease_cannot_keep_settle_or_postpone(airflow):
    operation = put(airflow)
    slow = outbox.claim(operation.pk, worker="a/1/1")
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert outbox.release_expired() == 1
    quick = outbox.claim(operation.pk, worker="b/2/2")
    for late in (
        lambda: outbox.keep(slow),
        lambda: outbox.succeed(slow, before={}, after={}),
        lambda: outbox.fail(slow, error="no"),
        lambda: outbox.postpone(slow, until=timezone.now(), waiting_for="x"),
    ):
        with pytest.raises(Conflict):
            late()
    outbox.succeed(quick, before={"roles": []}, after={"roles": ["User"]})
    operation.refresh_from_db()
    assert (operation.status, operation.attempts, operation.after) == (S.SUCCEEDED, 2, {"roles": ["User"]})


def test_the_same_worker_claiming_again_does_not_revive_its_old_claim(airflow):
    operation = put(airflow)
    old = outbox.claim(operation.pk, worker="a/1/1")
    Operation.objects.filter(pk=operation.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    outbox.release_expired()
    outbox.claim(operation.pk, worker="a/1/1")
    with pytest.raises(Conflict):
        outbox.succeed(old, before={}, after={})


def test_a_live_lease_is_left_alone_by_the_sweep(airflow):
    operation = put(airflow)
    outbox.claim(operation.pk, worker=outbox.process_name())
    assert outbox.release_expired() == 0
    assert outbox.release_dead() == 0


def test_what_a_dead_process_of_this_host_held_is_free_at_once(airflow):
    host, pid, started = outbox.process_name().rsplit("/", 2)
    gone, recycled, elsewhere = (
        put(airflow, lane="1"),
        put(airflow, lane="2"),
        put(airflow, lane="3"),
    )
    outbox.claim(gone.pk, worker=f"{host}/4194305/77")  # no Linux process number is that high
    outbox.claim(recycled.pk, worker=f"{host}/{pid}/{int(started) + 1}")  # the same number, another process
    outbox.claim(elsewhere.pk, worker=f"another-{host}/4194305/77")
    assert outbox.release_dead() == 2
    assert set(outbox.due()) == {gone.pk, recycled.pk}


def test_due_leaves_out_deployments_that_cannot_be_worked_on(airflow):
    operation = put(airflow)
    assert outbox.due() == [operation.pk]
    for status in ("down", "needs_reauthentication"):
        Deployment.objects.update(status=status)
        assert outbox.due() == []


def test_waking_a_deployment_makes_its_waiting_operations_due(airflow):
    operation = put(airflow, not_before=timezone.now() + timedelta(minutes=5), waiting_for="Airflow")
    outbox.wake(airflow)
    assert outbox.due() == [operation.pk]
    operation.refresh_from_db()
    assert operation.waiting_for == ""


def test_a_broker_that_is_away_costs_no_operation(airflow, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(outbox.app, "send_task", refuse)
    outbox.hint(1)
    operation = put(airflow)
    assert outbox.due() == [operation.pk]


def test_people_read_why_an_operation_waits(airflow):
    operation = put(airflow, waiting_for="employee has no account yet.")
    operation = Operation.objects.select_related("deployment").get(pk=operation.pk)
    assert queries.why_waiting(operation) == "employee has no account yet."
    operation.deployment.status = "down"
    assert "unreachable" in queries.why_waiting(operation)
    operation.deployment.status = "needs_reauthentication"
    assert "refuses" in queries.why_waiting(operation)
