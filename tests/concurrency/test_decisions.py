"""Decisions at the same moment end in one clean outcome, and the others read who was first."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
import time_machine

from portal.access import grants
from portal.access.actions import submit
from portal.access.models import AccessRequest, Grant
from portal.approvals import actions
from portal.approvals.models import Decision, Stage, Waiting
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from portal.catalogue import queries as catalogue
from portal.operations.models import Operation
from tests.concurrency.conftest import all_at_once
from tests.factories import grant_at_status, person, request_at_status

R = AccessRequest.Status


def check_one_outcome(request: AccessRequest) -> None:
    """One decision that counts, one grant and one operation if it was approved, and a trail that is whole."""
    request.refresh_from_db()
    approved = request.status == R.APPROVED
    assert Grant.objects.count() == Operation.objects.count() == (1 if approved else 0)
    settling = AuditEvent.objects.filter(
        verb__in=["request.approved", "request.denied", "request.returned", "request.withdrawn"], target=request.ref
    )
    assert settling.count() == 1
    result = verify()
    assert result.ok, result.problems
    assert list(AuditEvent.objects.order_by("seq").values_list("seq", flat=True)) == [
        number + 1 for number in range(AuditEvent.objects.count())
    ]


def test_two_approvers(catalogue):
    request = request_at_status()
    lead, lead2 = person("lead"), person("lead2")
    outcome = all_at_once(
        lambda: actions.approve(request_id=request.pk, by=lead),
        lambda: actions.approve(request_id=request.pk, by=lead2),
    )
    assert (len(outcome.answers), [refusal.status for refusal in outcome.refusals]) == (1, [409])
    first = Decision.objects.get().by.username
    assert f"{first} approved {request.ref}" in outcome.refusals[0].detail
    check_one_outcome(request)


def test_one_approves_and_one_denies(catalogue):
    request = request_at_status()
    lead, lead2 = person("lead"), person("lead2")
    outcome = all_at_once(
        lambda: actions.approve(request_id=request.pk, by=lead),
        lambda: actions.deny(request_id=request.pk, by=lead2, comment="no"),
    )
    assert (len(outcome.answers), [refusal.status for refusal in outcome.refusals]) == (1, [409])
    check_one_outcome(request)


def test_one_approves_and_one_returns(catalogue):
    request = request_at_status()
    lead, lead2 = person("lead"), person("lead2")
    outcome = all_at_once(
        lambda: actions.approve(request_id=request.pk, by=lead),
        lambda: actions.return_for_changes(request_id=request.pk, by=lead2, comment="shorter"),
    )
    assert (len(outcome.answers), [refusal.status for refusal in outcome.refusals]) == (1, [409])
    check_one_outcome(request)


def test_sent_again_twice(catalogue):
    request = request_at_status("returned")
    employee = person("employee")
    outcome = all_at_once(*[lambda: resubmit(request_id=request.pk, by=employee)] * 3)
    assert (len(outcome.answers), [refusal.status for refusal in outcome.refusals]) == (1, [409, 409])
    assert (AccessRequest.objects.get().round, Stage.objects.filter(round=2).count(), Waiting.objects.count()) == (
        2,
        1,
        1,
    )
    assert verify().ok


@pytest.mark.parametrize("attempt", range(5))
def test_approved_and_withdrawn(catalogue, attempt):
    request = request_at_status()
    lead, employee = person("lead"), person("employee")
    outcome = all_at_once(
        lambda: actions.approve(request_id=request.pk, by=lead),
        lambda: actions.withdraw(request_id=request.pk, by=employee),
    )
    assert (len(outcome.answers), [refusal.status for refusal in outcome.refusals]) == (1, [409])
    check_one_outcome(request)


def test_the_same_approval_twenty_times(catalogue):
    request = request_at_status()
    lead = person("lead")
    outcome = all_at_once(*[lambda: actions.approve(request_id=request.pk, by=lead)] * 20)
    assert (len(outcome.answers), {refusal.status for refusal in outcome.refusals}) == (1, {409})
    check_one_outcome(request)


def test_the_same_request_twenty_times(catalogue):
    employee, entitlement = person("employee"), catalogue_entry("demo/role/User")

    def ask() -> AccessRequest:
        return submit(by=employee, entitlement=entitlement, duration=entitlement.max_duration, reason="once")

    outcome = all_at_once(*[ask] * 20)
    assert (len(outcome.answers), {refusal.reason for refusal in outcome.refusals}) == (1, {"already_open"})
    assert AccessRequest.objects.count() == 1
    assert verify().ok


def test_handed_back_revoked_and_expired_at_once(airflow):
    grant = grant_at_status("active")
    employee, lead, admin = person("employee"), person("lead"), person("admin")
    with time_machine.travel(grant.ends_at, tick=False):
        outcome = all_at_once(
            lambda: grants.hand_back(grant_id=grant.pk, by=employee),
            lambda: grants.revoke(grant_id=grant.pk, by=lead, reason="enough"),
            lambda: grants.revoke(grant_id=grant.pk, by=admin, reason="enough"),
            grants.expire_due,
        )
    ended = [answer for answer in outcome.answers if answer != 0]
    assert len(ended) == 1 and all(refusal.status == 409 for refusal in outcome.refusals)
    assert Operation.objects.filter(kind="revoke_role").count() == 1
    verbs = ["grant.handed_back", "grant.revoked", "grant.expired"]
    assert AuditEvent.objects.filter(verb__in=verbs).count() == 1
    result = verify()
    assert result.ok, result.problems


def catalogue_entry(key: str):
    return catalogue.entitlement(key)


def test_failed_access_at_once_tried_again_by_two_admins_keeps_to_its_limit(catalogue):
    """8 hours are the most without a decision."""
    failed = []
    for _ in range(2):
        grant = grant_at_status("applying", entitlement="demo/role/Viewer", duration=timedelta(hours=5))
        Grant.objects.filter(pk=grant.pk).update(status="failed", failure="no account")
        failed.append(grant.pk)
    person("lead").groups.add(*person("admin").groups.all())
    admins = [person("admin"), person("lead")]  # who acts is locked: two calls of one person are never at once
    outcome = all_at_once(
        *[partial(grants.retry, grant_id=pk, by=by) for pk, by in zip(failed, admins, strict=True)] * 4
    )
    assert Grant.objects.filter(status="applying").count() == 1
    assert {"at_once_limit"} <= {refusal.reason for refusal in outcome.refusals}
