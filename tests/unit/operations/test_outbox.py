"""Claiming, keeping and settling: one worker at a time, one operation of each ordering key at a time, nothing lost."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from portal.airflow.models import DeploymentState
from portal.catalogue.models import Deployment
from portal.core import heartbeat
from portal.core.errors import Conflict
from portal.operations import outbox, queries, turns
from portal.operations.models import Operation, Process
from tests.factories import due, observe

S = Operation.Status


@pytest.fixture
def airflow(db, room):
    made = Deployment.objects.create(name="prod", url="http://127.0.0.1:1", api="v2")
    DeploymentState.objects.create(deployment=made, status="up")
    return made


def put(deployment, ordering_key="roles/prod/1", kind="test_giving", **changes):
    with transaction.atomic():
        operation = outbox.put(
            kind,
            deployment=deployment,
            subject="GR-1",
            about=ordering_key,
            payload={"grant": 1},
            by=None,
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
    later = put(airflow, ordering_key="other", not_before=timezone.now() + timedelta(minutes=1))
    assert outbox.claim(later.pk, worker="b/2/2") is None
    assert outbox.claim(999_999, worker="b/2/2") is None


def test_one_operation_of_a_lane_runs_at_a_time(airflow):
    first, second, elsewhere = put(airflow), put(airflow), put(airflow, ordering_key="roles/prod/2")
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
        lambda: outbox.renew_lease(slow),
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
    outbox.claim(operation.pk, worker=heartbeat.process_id())
    assert outbox.release_expired() == 0
    assert outbox.release_dead() == 0


@pytest.fixture
def processes(settings, tmp_path):
    """This host's processes, by their files: start("id") is one that lives until it is ended."""
    settings.DATA_DIR = tmp_path
    code = (
        "import fcntl, os, sys\n"
        "file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    heartbeat.folder().mkdir()
    started = []

    def start(name):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(heartbeat.folder() / name)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout.readline() == b"locked\n"
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_a_dead_process_of_this_host_held_is_free_at_once(airflow, processes):
    """Neither a process number nor a host name says who died: containers have the same."""
    now = timezone.now()
    common = {"host": "web", "pid": 1, "started_at": now, "seen_at": now}
    for name in ("dead", "alive", "elsewhere", "ended"):
        Process.objects.create(id=name, name="worker", ended_at=now if name == "ended" else None, **common)
    dead, alive = processes("dead"), processes("alive")
    dead.kill()
    dead.wait()
    held = {name: put(airflow, ordering_key=name) for name in ("dead", "alive", "elsewhere", "ended")}
    for name, operation in held.items():
        outbox.claim(operation.pk, worker=name)
    assert outbox.release_dead() == 2
    assert set(due()) == {held["dead"].pk, held["ended"].pk}
    assert Process.objects.get(pk="dead").ended_at is not None
    assert Process.objects.get(pk="alive").ended_at is None
    assert not (heartbeat.folder() / "dead").exists()
    assert alive.poll() is None


def test_a_process_that_ends_in_order_says_so(db, settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    monkeypatch.setenv(heartbeat.ID, "0123")
    monkeypatch.setattr(heartbeat, "_own", "")
    heartbeat.write("web")
    row = Process.objects.get(pk="0123")
    assert (row.name, row.pid, row.ended_at) == ("web", os.getpid(), None)
    with time_machine.travel(timezone.now() + timedelta(seconds=10)):
        heartbeat.write("web")
    assert Process.objects.get().seen_at > row.seen_at
    heartbeat.end()
    assert Process.objects.get().ended_at is not None


def test_due_leaves_out_deployments_that_cannot_be_worked_on(airflow):
    operation = put(airflow)
    assert due() == [operation.pk]
    for status in ("down", "needs_reauthentication"):
        observe(status=status)
        assert due() == []


def test_removals_go_first_however_many_wait(airflow):
    waiting = [put(airflow, ordering_key=f"roles/prod/{number}").pk for number in range(30)]
    removal = put(airflow, ordering_key="roles/prod/99", kind="test_removal")
    assert due()[0] == removal.pk
    assert outbox.claim_next(airflow.pk, worker="a").pk == removal.pk
    assert outbox.claim_next(airflow.pk, worker="a").pk == waiting[0]


def test_what_a_busy_lane_holds_up_is_not_looked_at(airflow):
    """Twenty that wait for one person must not hide what could be done for another."""
    first = put(airflow)
    outbox.claim(first.pk, worker="a")
    for _ in range(30):
        put(airflow)
    other = put(airflow, ordering_key="roles/prod/2")
    assert outbox.due_by_deployment() == {airflow.pk: 1}
    assert outbox.claim_next(airflow.pk, worker="a").pk == other.pk
    assert outbox.claim_next(airflow.pk, worker="a") is None
    assert outbox.due_by_deployment() == {}


def test_what_is_due_is_told_by_deployment(airflow):
    other = Deployment.objects.create(name="other", url="http://127.0.0.1:2", api="v2")
    put(airflow)
    put(other, ordering_key="roles/other/1")
    put(other, ordering_key="roles/other/2")
    assert outbox.due_by_deployment() == {airflow.pk: 1, other.pk: 2}


def test_one_process_at_a_time_has_its_turn(db, monkeypatch):
    assert turns.take("poll/1", seconds=60)
    assert turns.take("poll/1", seconds=60), "it may go on"
    mine = heartbeat.process_id()
    monkeypatch.setattr(heartbeat, "_own", "another")
    assert not turns.take("poll/1", seconds=60)
    with time_machine.travel(timezone.now() + timedelta(seconds=61)):
        assert turns.take("poll/1", seconds=60), "the first has died"
        turns.give_back("poll/1")
        monkeypatch.setattr(heartbeat, "_own", mine)
        assert turns.take("poll/1", seconds=60)


def test_the_turn_of_a_process_that_ended_is_free_at_once(db, monkeypatch):
    assert turns.take("poll/1", seconds=60)
    now = timezone.now()
    common = {"name": "worker", "host": "web", "pid": 1, "started_at": now, "seen_at": now}
    Process.objects.create(id=heartbeat.process_id(), ended_at=now, **common)
    monkeypatch.setattr(heartbeat, "_own", "another")
    assert turns.take("poll/1", seconds=60)


def test_a_broker_that_is_away_costs_no_operation(airflow, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise ConnectionError("no broker")

    asked = []
    monkeypatch.setattr(outbox.app, "send_task", lambda *args, **more: asked.append(args) or refuse())
    monkeypatch.setattr(outbox, "_broker_away_until", 0.0)
    outbox.notify_worker(1)
    outbox.notify_worker(2)
    assert len(asked) == 1, "a broker that did not answer is left alone for a while: each try holds somebody up"
    operation = put(airflow)
    assert due() == [operation.pk]


def test_a_worker_needs_no_message_to_tell_itself(airflow, monkeypatch):
    woken = []
    monkeypatch.setattr(outbox, "wake_here", lambda: woken.append(True))
    monkeypatch.setattr(outbox.app, "send_task", lambda *args, **more: pytest.fail("a message was sent"))
    outbox.notify_worker(1)
    assert woken == [True]


def test_people_read_why_an_operation_waits(airflow):
    operation = put(airflow, waiting_for="employee has no account yet.")
    operation = Operation.objects.select_related("deployment").get(pk=operation.pk)
    assert queries.why_waiting(operation) == "employee has no account yet."
    operation.deployment.state.status = "down"
    assert "unreachable" in queries.why_waiting(operation)
    operation.deployment.state.status = "needs_reauthentication"
    setattr(operation.deployment.state, f"{operation.account}_refused", True)
    assert "refuses" in queries.why_waiting(operation)
