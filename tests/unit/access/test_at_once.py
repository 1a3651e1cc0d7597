"""What is granted without a decision cannot be stored up, nor be given to others."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.access import grants
from portal.access.actions import submit
from portal.access.models import AccessRequest, Grant
from portal.approvals import actions
from portal.catalogue import queries as offered
from portal.core.errors import Invalid, Refused
from tests import factories

pytestmark = [pytest.mark.usefixtures("catalogue"), pytest.mark.any_database]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
VIEWER, ADMIN, USER = (
    "demo/role/Viewer",
    "demo/role/Admin",
    "demo/role/User",
)  # at once up to 8 h, break-glass 1 h, decided


def ask(by, what=VIEWER, *, duration=HOUR, starts_in=None, **more):
    return submit(
        by=by,
        entitlement=offered.entitlement(what),
        duration=duration,
        reason="the pipeline is down",
        starts_at=timezone.now() + starts_in if starts_in else None,
        **more,
    )


@pytest.mark.parametrize("starts_in", [3 * timedelta(minutes=1), HOUR, DAY, 80 * DAY])
def test_break_glass_starts_now_or_not_at_all(lead, starts_in):
    with pytest.raises(Invalid, match="emergency now") as refusal:
        ask(lead, ADMIN, starts_in=starts_in)
    assert list(refusal.value.fields) == ["starts_at"]
    assert not AccessRequest.objects.exists()


def test_break_glass_with_a_start_of_this_moment_is_given_now(lead):
    request = ask(lead, ADMIN, starts_in=timedelta(seconds=30))
    assert (request.grant.status, request.starts_at) == ("applying", None)


def test_what_nobody_decides_on_starts_within_a_day(employee):
    with pytest.raises(Invalid, match="starts within 1 day"):
        ask(employee, starts_in=DAY + HOUR)
    assert ask(employee, starts_in=DAY - HOUR).grant.status == "scheduled"


def test_what_is_decided_may_start_later(employee):
    assert ask(employee, USER, starts_in=30 * DAY).status == "pending"


@pytest.mark.parametrize("starts_in", [None, 12 * HOUR])
def test_together_it_is_at_most_the_longest_time(employee, colleague, starts_in):
    ask(employee, duration=5 * HOUR)
    ask(employee, duration=2 * HOUR, starts_in=HOUR)
    with pytest.raises(Invalid, match=r"at most 8 hours in total, and you already have 7 hours\. Request at most 1"):
        ask(employee, duration=timedelta(minutes=61), starts_in=starts_in)
    ask(colleague, duration=8 * HOUR)
    ask(employee, duration=HOUR, starts_in=starts_in)
    with pytest.raises(Invalid, match="Wait until it ends, or hand it back first"):
        ask(employee, duration=timedelta(minutes=1))


def test_of_what_is_active_the_time_that_is_left_counts(employee):
    grant = ask(employee, duration=8 * HOUR).grant
    now = timezone.now()
    Grant.objects.filter(pk=grant.pk).update(status="active", verified_at=now - 6 * HOUR, ends_at=now + 2 * HOUR)
    ask(employee, duration=6 * HOUR)


@pytest.mark.parametrize("status", ["ended", "ending", "failed"])
def test_what_is_over_does_not_count(employee, status):
    grant = ask(employee, duration=8 * HOUR).grant
    grants.hand_back(grant_id=grant.pk, by=employee)
    changes = {"ended_at": timezone.now()} if status == "ended" else {"failure": "no such user"}
    Grant.objects.filter(pk=grant.pk).update(status=status, **changes)
    ask(employee, duration=8 * HOUR)


def test_what_was_approved_does_not_count(cast):
    request = ask(cast["employee"], USER, duration=30 * DAY)
    actions.approve(request_id=request.pk, by=cast["lead"])
    ask(cast["employee"], duration=8 * HOUR)


@pytest.mark.parametrize(("by", "what"), [("employee", VIEWER), ("lead", ADMIN)])
def test_nobody_is_given_access_that_nobody_decides_on_by_somebody_else(cast, by, what):
    with pytest.raises(Refused, match="lead2 can request it") as refusal:
        ask(cast[by], what, beneficiary=cast["lead2"])
    assert refusal.value.reason == "only_for_oneself"
    assert not AccessRequest.objects.exists()
    assert ask(cast[by], what, beneficiary=cast[by]).status == "approved", "for oneself, said in full"


def test_what_is_decided_may_be_asked_for_others(employee, colleague):
    assert ask(employee, USER, beneficiary=colleague).status == "pending"


def test_one_airflow_under_two_names_counts_once(employee, fake, tmp_path):
    ask(employee, duration=5 * HOUR)
    text = factories.CATALOGUE.read_text().replace("deployments.demo", "deployments.prod").replace('"demo', '"prod')
    factories.offer(tmp_path, url=fake.url, source=text)
    with pytest.raises(Invalid) as refusal:
        ask(employee, "prod/role/Viewer", duration=4 * HOUR)
    assert refusal.value.reason == "at_once_limit"
    assert ask(employee, "prod/role/Viewer", duration=3 * HOUR).status == "approved"


def test_a_failed_grant_is_tried_again_within_the_longest_time(cast, employee):
    failed = ask(employee, duration=5 * HOUR).grant
    Grant.objects.filter(pk=failed.pk).update(status="failed", failure="no account")
    other = ask(employee, duration=4 * HOUR).grant
    with pytest.raises(Refused, match="employee already has 4 hours") as refusal:
        grants.retry(grant_id=failed.pk, by=cast["admin"])
    assert refusal.value.reason == "at_once_limit"
    grants.hand_back(grant_id=other.pk, by=employee)
    assert grants.retry(grant_id=failed.pk, by=cast["admin"]).status == "applying"
