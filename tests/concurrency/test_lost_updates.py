"""Two processes change one person's roles 200 times. Airflow replaces the whole list each time, so one lock must hold.

The second test is the first without the lock: it shows that updates are lost then, and so that the first can fail.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from airflow_bridge import PasswordAuth, connect
from portal.access import grants
from portal.access.actions import submit
from portal.access.models import Grant
from portal.airflow import clients
from portal.catalogue.models import Deployment, Entitlement
from portal.operations.models import Operation
from tests.concurrency import other_process
from tests.concurrency.test_roles import check_settled, offer_more_roles
from tests.factories import SECRETS, person, work_off
from tests.fake_airflow import FakeAirflow
from tests.faults.proxy import Exchange, LossyProxy, Seen

CHANGES = 200
ENDING = 10
PROCESSES = 2
CHANGE = "PATCH .*/users/[^/]+"
A_WHILE = 0.005  # seconds for which each change is held up, so that two that are let through do meet


def late(exchange: Exchange) -> None:
    exchange.pause(A_WHILE)
    exchange.answer(exchange.forward())


@pytest.fixture
def proxy(airflow: FakeAirflow) -> Iterator[LossyProxy]:
    """Between the portal and its Airflow."""
    with LossyProxy(airflow.url, {"late": late}) as proxy:
        clients.close_all()
        Deployment.objects.update(url=proxy.url)
        yield proxy


def roles_sent(change: Seen) -> set[str]:
    return {role["name"] for role in json.loads(change.body)["roles"]}


def give(entitlements: list[Entitlement]) -> None:
    for entitlement in entitlements:
        submit(by=person("employee"), entitlement=entitlement, duration=timedelta(hours=1), reason="many")


def test_through_the_lock_no_change_is_lost(airflow: FakeAirflow, proxy: LossyProxy) -> None:
    """While that many roles are given, others are taken away: those in one change, and never again after it."""
    airflow.add_user("employee", roles=["Public"])
    offer_more_roles(airflow, CHANGES + ENDING)
    Entitlement.objects.update(policy="at-once")
    entitlements = list(Entitlement.objects.filter(role__startswith="Team "))
    held, asked = entitlements[:ENDING], entitlements[ENDING:]
    give(held)
    work_off()
    give(asked[::2])
    for grant in Grant.objects.filter(status="active"):
        grants.hand_back(grant_id=grant.pk, by=person("employee"))
    give(asked[1::2])
    waiting = Operation.objects.filter(settled_at=None)
    assert (waiting.count(), waiting.values("ordering_key").distinct().count()) == (CHANGES + ENDING, 1)
    numbers = list(waiting.values_list("pk", flat=True))
    shown = airflow.roles_of("employee")

    proxy.forget()
    proxy.do(CHANGE, "late")
    there = {"TEST_DATABASE_URL": other_process.database_url(), **SECRETS}
    other_process.finish(
        *[other_process.start("worker", str(part), str(PROCESSES), **there) for part in range(PROCESSES)]
    )

    done = Operation.objects.filter(pk__in=numbers, status="succeeded")
    by_process = Counter(done.values_list("claimed_by", flat=True))
    assert (len(by_process), sum(by_process.values())) == (PROCESSES, CHANGES + ENDING)
    changes, ending = proxy.asked(CHANGE), {entitlement.role for entitlement in held}
    for change in changes:
        # each began with what the one before had left, whoever made it
        assert len(roles_sent(change) - shown) <= 1, "a change brought back what another had taken away"
        assert shown - roles_sent(change) <= ending, "a change took away what another had given"
        shown = roles_sent(change)
    assert CHANGES <= len(changes) <= CHANGES + 1
    assert airflow.roles_of("employee") == {"Public"} | {entitlement.role for entitlement in asked}
    check_settled(airflow, unmanaged={"Public"})


@pytest.mark.any_database
def test_without_the_lock_changes_are_lost() -> None:
    """Both have read before either writes, as often happens by itself and here always: half of all is lost at least."""
    both = threading.Barrier(PROCESSES)

    def meet(exchange: Exchange) -> None:
        with contextlib.suppress(threading.BrokenBarrierError):  # the other one is gone: the test has failed already
            both.wait(other_process.TIMEOUT)
        exchange.answer(exchange.forward())

    roles = [f"Team {number}" for number in range(CHANGES)]
    with FakeAirflow() as airflow, LossyProxy(airflow.url, {"meet": meet}) as proxy:
        airflow.add_user("employee", roles=["Public"])
        admin = connect(name="demo", url=airflow.url, api="v2", auth=PasswordAuth(*airflow.admin))
        for role in roles:
            admin.create_role(role, [])
        admin.close()
        proxy.do(CHANGE, "meet")
        shares = [roles[number::PROCESSES] for number in range(PROCESSES)]
        processes = [other_process.start("bare", proxy.url, *airflow.admin, "employee", *share) for share in shares]
        try:
            other_process.finish(*processes)
        finally:
            both.abort()
        changes = proxy.asked(CHANGE)
        assert {role for change in changes for role in roles_sent(change)} == {"Public", *roles}, "each was sent"
        assert (len(changes), {change.status for change in changes}) == (CHANGES, {200}), "and accepted"
        kept = airflow.roles_of("employee") & set(roles)
    assert len(kept) <= CHANGES / PROCESSES
