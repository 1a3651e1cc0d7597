"""Operation kinds: a room registers its own, and neither the outbox nor the worker knows its name."""

from __future__ import annotations

import ast

import pytest
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.operations import kinds, outbox, queries
from portal.operations.handling import PermanentFailure, RetryLater
from portal.operations.models import Operation
from portal.worker import alarms
from tests import factories
from tests.guards.source import modules
from tests.room import Thing


@pytest.fixture
def deployment(db):
    return Deployment.objects.create(name="demo", url="http://127.0.0.1:1", api="v2")


def put(deployment, kind="test_change", value=7, about="thing"):
    payload = {"value": value}
    return outbox.put(kind, deployment=deployment, subject="a/thing", payload=payload, by=None, about=about)


def fresh(operation):
    return Operation.objects.get(pk=operation.pk)


def try_again():
    Operation.objects.filter(status="queued").update(not_before=timezone.now())
    factories.work_off()


def test_a_new_kind_is_executed_and_settled(room, deployment):
    operation = put(deployment)
    assert factories.work_off() == 1
    assert room.value == 7
    done = fresh(operation)
    assert (done.status, done.before, done.after) == ("succeeded", {"value": 0}, {"value": 7})
    assert (done.label, done.account, done.ordering_key) == ("change a thing", "runner", "thing")
    assert factories.verbs() == [Verb.VARIABLE_CHANGED]


def test_it_fails_after_its_own_number_of_attempts(room, deployment):
    operation, room.refuse = put(deployment, "test_giving"), RetryLater("not yet")
    factories.work_off()
    assert (fresh(operation).status, fresh(operation).failures) == ("queued", 1)
    try_again()
    assert (fresh(operation).status, room.given_up) == ("failed", ["not yet"])


def test_a_kind_without_max_attempts_never_fails_and_raises_its_alarm(room, deployment):
    operation, room.refuse = put(deployment, "test_removal"), PermanentFailure("refused")
    for attempt in range(1, alarms.AFTER_FAILURES + 3):
        try_again()
        assert bool(room.alarms) == (attempt >= alarms.AFTER_FAILURES)
    assert (fresh(operation).status, room.given_up, room.alarms) == ("queued", [], ["refused"])


def test_only_kinds_with_an_alarm_are_told_of_when_they_are_old(room, deployment):
    for kind in ("test_change", "test_removal"):
        put(deployment, kind, about=kind)
    Operation.objects.update(created_at=timezone.now() - alarms.AFTER)
    assert (alarms.raise_of_old(), len(room.alarms)) == (1, 1)
    assert alarms.raise_of_old() == 0


def test_a_later_operation_supersedes_an_earlier_one_of_the_same_key(room, deployment):
    old, new = put(deployment, value=1), put(deployment, value=2)
    factories.attempt(new.pk)
    factories.attempt(old.pk)
    assert (fresh(new).status, fresh(old).status) == ("succeeded", "superseded")
    assert room.value == 2
    assert fresh(old).error == f"{new.ref} is newer and replaces {old.ref}."
    assert AuditEvent.objects.order_by("-seq").first().verb == Verb.VARIABLE_CHANGE_LEFT_OUT


def test_a_superseded_operation_supersedes_none(room, deployment):
    old, new = put(deployment, value=1), put(deployment, value=2)
    Operation.objects.filter(pk=new.pk).update(status="superseded", settled_at=timezone.now())
    factories.attempt(old.pk)
    assert (fresh(old).status, room.value) == ("succeeded", 1)


def test_a_kind_without_an_ordering_key_is_ordered_with_nothing(room, deployment):
    plain = kinds.Kind("test_plain", "do a thing", "runner", room)
    kinds.register(plain)
    first, second = put(deployment, "test_plain"), put(deployment, "test_plain")
    assert first.ordering_key != second.ordering_key


def test_a_kind_that_no_room_registers_is_left_alone(room, deployment):
    operation = put(deployment)
    Operation.objects.update(kind="of_another_release")
    assert factories.due() == []
    assert (fresh(operation).label, fresh(operation).account) == ("of_another_release", "")


def test_an_operation_of_an_unknown_kind_cannot_be_put(room, deployment):
    with pytest.raises(KeyError):
        put(deployment, "misspelt")


def test_two_rooms_cannot_register_one_kind(room):
    with pytest.raises(ValueError, match="test_change"):
        kinds.register(*Thing().kinds())


def literals(tree):
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_outbox_and_worker_name_no_kind():
    names = set(kinds.names())
    assert len(names) >= 8
    named = {path: literals(tree) & names for path, tree in modules("portal/operations", "portal/worker", "portal/api")}
    assert not {path: found for path, found in named.items() if found}


def test_an_operation_of_a_kind_of_another_release_says_why_it_waits(deployment):
    operation = Operation.objects.create(
        kind="of_tomorrow", deployment=deployment, subject="x", ordering_key="x", not_before=timezone.now()
    )
    assert outbox.claim_next(deployment.pk, worker="test") is None
    assert "does not know operations of the kind of_tomorrow" in queries.why_waiting(operation)
