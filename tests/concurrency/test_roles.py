"""However many approvals, ends and workers meet, Airflow shows exactly what the live grants require."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from django.db import connection

from portal.access import grants
from portal.access.actions import submit
from portal.access.models import AccessRequest, Grant
from portal.access.states import REQUIRING
from portal.approvals import actions
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement
from portal.operations.models import Operation
from tests.concurrency.conftest import all_at_once, workers
from tests.factories import attempt, grant_at_status, person, work_off
from tests.fake_airflow import Request

MORE = 20
CHANGES = "PATCH /auth/fab/v1/users/.*"


def offer_more_roles(airflow, number: int) -> list[Entitlement]:
    """`number` further roles in Airflow and in the catalogue, as one-lead entitlements."""
    deployment = catalogue.deployments_in_force().get()
    made = []
    for index in range(number):
        role = f"Team {index}"
        airflow.state.roles[role] = type(airflow.state.roles["Viewer"])(role, set())
        made.append(
            Entitlement.objects.create(
                key=f"demo/role/{role}",
                deployment=deployment,
                kind="role",
                role=role,
                title=role,
                risk="low",
                max_duration=timedelta(hours=8),
                policy="one-lead",
            )
        )
    return made


def required(name: str) -> set[str]:
    live = Grant.objects.filter(beneficiary__username=name, status__in=REQUIRING)
    return set(live.values_list("entitlement__role", flat=True))


def check_settled(airflow, *, unmanaged: set[str]) -> None:
    assert set(Grant.objects.values_list("status", flat=True)) <= {"active", "ended"}
    assert set(Operation.objects.values_list("status", flat=True)) <= {"succeeded", "cancelled"}
    assert airflow.roles_of("employee") == required("employee") | unmanaged
    result = verify()
    assert result.ok, result.problems
    # each grant came to life at most once and ended at most once, whoever carried that out
    events = AuditEvent.objects.filter(verb__in=["grant.verified", "grant.ended"])
    seen = Counter((event.verb, event.grant) for event in events)
    assert set(seen.values()) <= {1}


def test_twenty_approvals_and_revocations_of_one_person_at_once(airflow):
    airflow.add_user("employee", roles=["Public"])
    entitlements = offer_more_roles(airflow, MORE)
    employee, lead, lead2 = person("employee"), person("lead"), person("lead2")
    waiting, holding = entitlements[: MORE // 2], entitlements[MORE // 2 :]
    for entitlement in holding:
        grant_at_status("active", entitlement=entitlement.key)
    asked = [
        submit(by=employee, entitlement=entitlement, duration=timedelta(hours=1), reason="burst")
        for entitlement in waiting
    ]
    with workers(4):
        outcome = all_at_once(
            *[lambda pk=request.pk: actions.approve(request_id=pk, by=lead) for request in asked],
            *[
                lambda pk=grant.pk: grants.revoke(grant_id=pk, by=lead2, reason="burst")
                for grant in Grant.objects.filter(status="active")
            ],
        )
    assert (len(outcome.answers), outcome.refusals) == (MORE, [])
    assert required("employee") == {entitlement.role for entitlement in waiting}
    check_settled(airflow, unmanaged={"Public"})


def test_asked_for_and_handed_back_over_and_over_while_workers_run(airflow):
    """Overlapping grants of the same two roles, some ended while they are still being applied."""
    airflow.add_user("employee", roles=["Public"])
    employee = person("employee")
    wanted = [catalogue.entitlement(key) for key in ("demo/role/Viewer", "demo/role/User")]

    def ask_and_perhaps_end(number: int) -> None:
        entitlement = wanted[0] if number % 4 else wanted[1]
        try:
            request = submit(
                by=employee, entitlement=entitlement, duration=timedelta(minutes=30), reason=f"turn {number}"
            )
        except Exception as error:
            if getattr(error, "reason", "") != "already_open":
                raise
            return
        if request.status == AccessRequest.Status.PENDING:
            actions.approve(request_id=request.pk, by=person("lead"))
        grant = Grant.objects.get(request=request)
        if number % 3:
            grants.hand_back(grant_id=grant.pk, by=employee)

    with workers(3):
        all_at_once(*[lambda number=number: ask_and_perhaps_end(number) for number in range(20)])
    assert Grant.objects.count() >= 15
    check_settled(airflow, unmanaged={"Public"})


def test_one_grant_stays_while_all_others_of_its_role_end(airflow):
    """Airflow never shows the person without a role that a live grant requires, not even in between."""
    airflow.add_user("employee", roles=["Public"])
    employee = person("employee")
    viewer = catalogue.entitlement("demo/role/Viewer")
    each = viewer.max_duration / 9  # together they last as long as one person may have it without a decision
    kept, *others = [grant_at_status("active", entitlement=viewer.key, duration=each) for _ in range(9)]
    before = len(airflow.calls(CHANGES))
    with workers(4):
        outcome = all_at_once(*[lambda pk=grant.pk: grants.hand_back(grant_id=pk, by=employee) for grant in others])
    assert len(outcome.answers) == len(others)
    assert Grant.objects.get(status="active") == kept
    assert all("Viewer" in roles_sent(change) for change in airflow.calls(CHANGES)[before:])
    check_settled(airflow, unmanaged={"Public"})
    grants.hand_back(grant_id=kept.pk, by=employee)
    work_off()
    assert airflow.roles_of("employee") == {"Public"}


def test_an_operation_that_many_workers_are_told_of_is_carried_out_once(airflow):
    airflow.add_user("employee", roles=["Public"])
    grant_at_status("applying")
    operation = Operation.objects.get()
    all_at_once(*[lambda: attempt(operation.pk)] * 8)
    operation.refresh_from_db()
    assert (operation.status, operation.attempts) == ("succeeded", 1)
    assert len(airflow.calls(CHANGES)) == 1
    check_settled(airflow, unmanaged={"Public"})


def roles_sent(change: Request) -> set[str]:
    return {role["name"] for role in change.body["roles"]}


def test_workers_of_one_lane_take_turns(airflow):
    """Two role changes of one person never meet: Airflow replaces the whole list and would lose one."""
    airflow.add_user("employee", roles=["Public"])
    entitlements = offer_more_roles(airflow, 6)
    employee, lead = person("employee"), person("lead")
    for entitlement in entitlements:
        request = submit(by=employee, entitlement=entitlement, duration=timedelta(hours=1), reason="turns")
        actions.approve(request_id=request.pk, by=lead)
    with workers(6):
        pass
    held: set[str] = {"Public"}
    for change in airflow.calls(CHANGES):
        assert held <= roles_sent(change), "a change overwrote the one before"
        held = roles_sent(change)
    check_settled(airflow, unmanaged={"Public"})


def test_the_database_is_the_one_meant(request):
    """These tests mean something on a database that threads really share."""
    assert connection.vendor == "postgresql" or not connection.is_in_memory_db()
