"""However grants begin, end, fail and are looked at at the same moment: Airflow shows what the live ones require."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from accounts.models import User
from airflow_bridge import dag_permissions
from portal.access import grants, upkeep
from portal.access.actions import submit
from portal.access.models import Grant, RoleInMaking
from portal.approvals import actions
from portal.catalogue import queries as catalogue
from portal.operations.models import Operation
from tests.concurrency import other_process
from tests.concurrency.conftest import all_at_once, workers
from tests.factories import SECRETS, attempt, grant_at_status, look_at_due, observe, person, work_off

DAG = "demo/dag/sales_report/{}"
ROLES = "/auth/fab/v1/roles"
HOUR = timedelta(hours=1)
NAMES = ["employee", "colleague", "lead", "lead2"]


def approved(name, key):
    entitlement = catalogue.entitlement(key)
    request = submit(by=person(name), entitlement=entitlement, duration=HOUR, reason="all at once")
    lead = "lead2" if name == "lead" else "lead"
    return actions.approve(request_id=request.pk, by=person(lead)).grant


@pytest.mark.parametrize("level", ["view", "operate"])
@pytest.mark.parametrize("making", ["in_parts", "broken_off"])
def test_the_first_grants_of_a_dag_for_several_people_at_once(airflow, level, making):
    airflow.fail_next(f"POST {ROLES}", making, seconds=0.5)
    given = all_at_once(*[lambda name=name: approved(name, DAG.format(level)) for name in NAMES]).answers
    if making == "broken_off":
        attempt(Operation.objects.order_by("pk").first().pk)
        observe(status="up")
    with workers(4):
        pass
    assert {(grant.status, grant.failure) for grant in Grant.objects.all()} == {("active", "")}
    (role,) = {grant.role for grant in given}
    assert airflow.state.roles[role].permissions == dag_permissions("sales_report", level)
    assert all(role in airflow.roles_of(name) for name in NAMES)
    assert len(airflow.calls(f"POST {ROLES}")) == 1
    assert not RoleInMaking.objects.exists()


def test_workers_in_two_processes_make_a_role_once(airflow):
    airflow.fail_next(f"POST {ROLES}", "in_parts", seconds=0.5)
    for name in NAMES:
        approved(name, DAG.format("view"))
    there = {"TEST_DATABASE_URL": other_process.database_url(), **SECRETS}
    other_process.finish(*[other_process.start("worker", str(part), "2", **there) for part in range(2)])
    assert set(Grant.objects.values_list("status", flat=True)) == {"active"}
    assert len(airflow.calls(f"POST {ROLES}")) == 1


def test_people_leave_while_their_grants_are_given(airflow):
    """The last check is right before the change: whoever left in between is given nothing that stays."""
    for name in NAMES:
        airflow.add_user(name, roles=["Public"])
    with workers(3):
        all_at_once(
            *[lambda name=name: approved(name, DAG.format("view")) for name in NAMES],
            lambda: User.objects.filter(username__in=NAMES[:2]).update(is_active=False),
        )
    upkeep.end_ineligible()
    work_off()
    for name in NAMES[:2]:
        assert airflow.roles_of(name) == {"Public"}
    assert not Grant.objects.filter(beneficiary__username__in=NAMES[:2], status__in=["active", "applying"]).exists()


@pytest.mark.postgres
def test_a_removal_waits_for_a_deactivation_and_holds_nothing_that_it_needs(airflow):
    """Both lock several grants of a person. SQLite has one writer at a time."""
    live, ending = grant_at_status("active"), grant_at_status("active")
    grants.revoke(grant_id=ending.pk, by=person("lead"), reason="over")
    removal = Operation.objects.get(subject=ending.ref, kind="revoke_role")
    holds_the_first = threading.Event()

    def deactivate():
        with transaction.atomic(), connection.cursor() as cursor:
            Grant.objects.select_for_update().get(pk=live.pk)
            holds_the_first.set()
            for _ in range(6000):
                cursor.execute(
                    "SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
                )
                if cursor.fetchone():
                    break
                threading.Event().wait(0.01)
            else:
                raise AssertionError("the removal does not wait")
            return Grant.objects.select_for_update(nowait=True).get(pk=ending.pk)

    def remove():
        assert holds_the_first.wait(60)
        attempt(removal.pk)

    assert ending in all_at_once(deactivate, remove).answers
    ending.refresh_from_db()
    assert ending.status == "ended"


def test_grants_end_while_they_are_given_and_others_fail(airflow):
    """Removals that leave the role to grants not given yet, which then fail."""
    airflow.add_user("employee", roles=["Public"])
    held = [grant_at_status("active") for _ in range(3)]
    waiting = [grant_at_status("applying") for _ in range(3)]
    for grant in held:
        grants.revoke(grant_id=grant.pk, by=person("lead"), reason="over")
    airflow.state.users["employee"].email = "elsewhere@example.com"
    operations = list(Operation.objects.filter(status="queued").values_list("pk", flat=True))
    all_at_once(*[lambda pk=pk: attempt(pk) for pk in operations])
    with workers(3):
        pass
    assert {Grant.objects.get(pk=grant.pk).status for grant in held} == {"ended"}
    assert {Grant.objects.get(pk=grant.pk).status for grant in waiting} == {"failed"}
    assert airflow.roles_of("employee") == {"Public"}


def test_looks_while_grants_begin_and_end(airflow):
    """Whatever is seen in the middle of a change, no live grant loses anything and no ended one keeps anything."""
    airflow.add_user("employee", roles=["Public"])
    employee = person("employee")
    done = threading.Event()

    def turn(number):
        role = "Viewer" if number % 2 else "User"
        grant = grant_at_status("applying", entitlement=f"demo/role/{role}", duration=HOUR)
        if number % 3:
            grants.hand_back(grant_id=grant.pk, by=employee)

    def keep_looking():
        while not done.is_set():
            Grant.objects.filter(look_at__isnull=False).update(look_at=timezone.now())
            look_at_due()
        connection.close()

    looking = [threading.Thread(target=keep_looking) for _ in range(2)]
    with workers(3):
        for thread in looking:
            thread.start()
        try:
            for number in range(12):
                turn(number)
        finally:
            done.set()
            for thread in looking:
                thread.join()
    live = set(Grant.objects.filter(status="active").values_list("role", flat=True))
    assert airflow.roles_of("employee") == live | {"Public"}
    assert set(Grant.objects.values_list("status", flat=True)) <= {"active", "ended"}
    assert not Grant.objects.exclude(back_since=None, missing_since=None).exists()
