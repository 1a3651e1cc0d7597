"""Refusals that repeat become one event that counts them; nobody fills the trail by being refused."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F

from portal.audit import refusals
from portal.audit.models import AuditEvent, RepeatedRefusal
from portal.audit.presenters import sentence
from portal.audit.record import Source, close_refusals, recording, source
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.core.errors import Refused
from tests.unit.audit.conftest import Somebody

pytestmark = pytest.mark.django_db
LEAD = Somebody("lead")


def refused(
    target: str = "REQ-1", *, by: Somebody | None = LEAD, reason: str = "own_request", address: str = ""
) -> None:
    reset = source.set(Source(address=address))
    try:
        with recording(refusal=Verb.REQUEST_APPROVE_REFUSED, by=by, target=target):
            raise Refused("This is your own request.", reason=reason)
    except Refused as error:
        assert error.recorded
    finally:
        source.reset(reset)


def a_minute_passes() -> None:
    RepeatedRefusal.objects.update(opened_at=F("opened_at") - timedelta(seconds=61))


def told() -> list[tuple[str, int | None]]:
    return [(event.target, event.detail.get("repeats")) for event in AuditEvent.objects.order_by("seq")]


def test_the_first_is_an_event_at_once_and_the_others_are_one_when_the_minute_is_over() -> None:
    for _ in range(150):
        refused()
    assert told() == [("REQ-1", None)]
    assert close_refusals() == 0, "the window is open"
    a_minute_passes()
    assert close_refusals() == 1
    assert told() == [("REQ-1", None), ("REQ-1", 149)]
    event = AuditEvent.objects.get(seq=2)
    assert sentence(event).endswith("This is your own request. (149 more times within a minute)")
    assert event.detail["first"] <= event.detail["last"]
    assert (event.outcome, event.actor) == ("refused", "lead")
    assert not RepeatedRefusal.objects.exists()
    assert verify().ok


def test_a_single_refusal_is_one_event_and_no_more() -> None:
    refused()
    a_minute_passes()
    assert close_refusals() == 0
    assert told() == [("REQ-1", None)]
    assert not RepeatedRefusal.objects.exists()


def test_the_next_refusal_writes_the_count_without_a_timer() -> None:
    for _ in range(3):
        refused()
    a_minute_passes()
    refused()
    refused()
    assert told() == [("REQ-1", None), ("REQ-1", 2), ("REQ-1", None)]
    assert RepeatedRefusal.objects.get().repeats == 1


@pytest.mark.parametrize("other", [{"target": "REQ-2"}, {"by": Somebody("lead2")}, {"reason": "not_an_approver"}])
def test_another_target_person_or_reason_is_another_refusal(other: dict) -> None:
    refused()
    refused(**other)
    assert len(told()) == 2


def test_one_person_with_many_targets_gets_one_window_for_the_rest() -> None:
    for number in range(3 * refusals.SEVERAL):
        refused(f"REQ-{number}")
    assert [target for target, _ in told()] == [*(f"REQ-{n}" for n in range(refusals.SEVERAL)), "several"]
    assert AuditEvent.objects.latest("seq").about == ["unnamed:several"]
    refused(by=Somebody("lead2"))
    assert told()[-1] == ("REQ-1", None), "somebody else is not concerned"
    a_minute_passes()
    close_refusals()
    assert told()[-1] == ("several", 2 * refusals.SEVERAL - 1)


def test_callers_without_sign_in_share_a_limit() -> None:
    for number in range(10 * refusals.STRANGERS):
        refused(by=None, address=f"198.51.100.{number}")
    assert len(told()) == refusals.STRANGERS + 1
    refused(by=LEAD, address="198.51.100.250")
    assert told()[-1] == ("REQ-1", None), "who has signed in is told by name"


def test_an_ipv6_machine_counts_as_one_whichever_of_its_addresses_it_uses() -> None:
    for number in range(50):
        refused(by=None, address=f"2001:db8::{number:x}")
    assert told() == [("REQ-1", None)]
    refused(by=None, address="2001:db8:0:1::1")
    assert len(told()) == 2


def test_a_refusal_in_a_joined_block_is_collapsed_as_well() -> None:
    for _ in range(3):
        with recording() as trail:
            refused()
            trail.add(Verb.AUDIT_EXPORTED, by=LEAD, target="audit")
    assert [target for target, _ in told()] == ["audit", "REQ-1", "audit", "audit"]


@pytest.mark.django_db(transaction=True)
def test_many_at_once_lose_no_refusal() -> None:
    def some() -> None:
        try:
            for _ in range(5):
                refused()
        finally:
            connection.close()

    threads = [threading.Thread(target=some) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told() == [("REQ-1", None)]
    assert RepeatedRefusal.objects.get().repeats == 19
    a_minute_passes()
    assert close_refusals() == 1
