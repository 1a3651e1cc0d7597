"""The life of a grant: its time runs from the proof, it ends once, by whom it may, and what ends leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import Error as DatabaseError
from django.utils import timezone

from portal.access import grants, outcomes, queries
from portal.access.models import Grant
from portal.access.outcomes import Account
from portal.access.permissions import check_can_hand_back, check_can_retry, check_can_revoke
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid, Missing, Refused, why_not
from portal.operations.models import Operation
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")
HOURS = timedelta(hours=1)


@pytest.fixture
def applying(cast):
    return factories.grant_at_status("applying", duration=8 * HOURS)


@pytest.fixture
def active(applying):
    return confirm(applying)


def confirm(grant):
    """As the worker does once Airflow shows the role."""
    operation = Operation.objects.filter(subject=grant.ref).last()
    with recording() as trail:
        outcomes.confirm_active(grant, account=Account(grant.beneficiary.username), operation=operation, trail=trail)
    return grant


def fail(grant, why="Airflow has no role User."):
    operation = Operation.objects.filter(subject=grant.ref).last()
    with recording() as trail:
        outcomes.give_up(grant, why=why, operation=operation, trail=trail)
    return grant


def removals():
    return Operation.objects.filter(kind="revoke_role")


def last_verb():
    return AuditEvent.objects.order_by("-seq").first().verb


def test_its_time_runs_from_the_moment_airflow_confirmed_it(applying):
    later = timezone.now() + 3 * HOURS  # Airflow was away for three hours
    with time_machine.travel(later, tick=False):
        confirm(applying)
    applying.refresh_from_db()
    assert (applying.verified_at, applying.ends_at) == (later, later + 8 * HOURS)


def test_it_expires_by_itself_and_goes_to_the_worker_once(active):
    with time_machine.travel(active.ends_at - timedelta(seconds=1)):
        assert grants.expire_due() == 0
    with time_machine.travel(active.ends_at + timedelta(seconds=1)):
        assert grants.expire_due() == 1
        assert grants.expire_due() == 0
    active.refresh_from_db()
    assert (active.status, active.end_reason, active.ended_at) == ("ending", "expired", None)
    assert removals().count() == 1
    assert last_verb() == Verb.GRANT_EXPIRED


def test_its_holder_hands_it_back(active, cast):
    grants.hand_back(grant_id=active.pk, by=cast["employee"])
    active.refresh_from_db()
    assert (active.status, active.end_reason, active.ended_by) == ("ending", "handed_back", cast["employee"])
    assert removals().get().payload == {"grant": active.pk}


@pytest.mark.parametrize("who", ["colleague", "lead", "admin"])
def test_nobody_else_hands_it_back(active, cast, who):
    with pytest.raises(Refused) as refusal:
        grants.hand_back(grant_id=active.pk, by=cast[who])
    assert refusal.value.reason == "not_yours"


@pytest.mark.parametrize("who", ["lead", "lead2", "admin"])
def test_approvers_of_its_request_and_admins_revoke_it_with_a_reason(active, cast, who):
    with pytest.raises(Invalid):
        grants.revoke(grant_id=active.pk, by=cast[who], reason="  ")
    grants.revoke(grant_id=active.pk, by=cast[who], reason="the close is over")
    active.refresh_from_db()
    assert (active.status, active.end_reason, active.end_comment) == ("ending", "revoked", "the close is over")
    assert last_verb() == Verb.GRANT_REVOKED


@pytest.mark.parametrize("who", ["colleague", "security", "auditor", "stranger"])
def test_others_cannot_revoke_it(active, cast, who):
    with pytest.raises(Refused):
        grants.revoke(grant_id=active.pk, by=cast[who], reason="because")
    assert why_not(check_can_revoke, cast[who], active)
    assert last_verb() == Verb.GRANT_REVOKE_REFUSED
    active.refresh_from_db()
    assert active.status == "active"


def test_ones_own_is_handed_back_and_not_revoked(cast):
    grant = confirm(factories.grant_at_status("applying", by="lead"))
    with pytest.raises(Refused, match="Hand it back") as refusal:
        grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="done")
    assert refusal.value.reason == "own_grant"
    assert why_not(check_can_hand_back, cast["lead"], grant) == ""


def test_it_ends_once_and_the_second_hears_how(active, cast):
    grants.revoke(grant_id=active.pk, by=cast["lead"], reason="over")
    with pytest.raises(Conflict, match="revoked by lead"):
        grants.revoke(grant_id=active.pk, by=cast["admin"], reason="over")
    with pytest.raises(Conflict):
        grants.hand_back(grant_id=active.pk, by=cast["employee"])
    assert removals().count() == 1


def test_a_scheduled_grant_begins_at_its_time(cast):
    grant = factories.grant_at_status("scheduled", starts_in=2 * HOURS)
    assert grants.start_due() == 0
    with time_machine.travel(grant.starts_at + timedelta(seconds=1)):
        assert grants.start_due() == 1
    grant.refresh_from_db()
    assert grant.status == "applying"
    assert Operation.objects.get().kind == "grant_role"


def test_a_scheduled_grant_handed_back_never_reaches_airflow(cast):
    grant = factories.grant_at_status("scheduled")
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    grant.refresh_from_db()
    assert (grant.status, grant.end_reason) == ("ended", "handed_back")
    assert grant.ended_at is not None
    assert not Operation.objects.exists()


def test_a_grant_ended_while_it_is_applied_is_taken_away_and_cannot_become_active(applying, cast):
    grants.hand_back(grant_id=applying.pk, by=cast["employee"])
    assert removals().count() == 1
    applying.refresh_from_db()
    with pytest.raises(Conflict):
        confirm(applying)
    applying.refresh_from_db()
    assert (applying.status, applying.verified_at) == ("ending", None)


def test_what_failed_says_why_and_an_admin_tries_again(applying, cast):
    fail(applying)
    assert last_verb() == Verb.GRANT_FAILED
    for who in ("employee", "lead", "auditor"):
        assert why_not(check_can_retry, cast[who], applying)
        with pytest.raises(Refused):
            grants.retry(grant_id=applying.pk, by=cast[who])
    grants.retry(grant_id=applying.pk, by=cast["admin"])
    applying.refresh_from_db()
    assert (applying.status, applying.failure) == ("applying", "")
    assert Operation.objects.filter(kind="grant_role").count() == 2
    with pytest.raises(Conflict):
        grants.retry(grant_id=applying.pk, by=cast["admin"])


def test_what_failed_can_be_closed_by_an_admin(applying, cast):
    fail(applying)
    grants.revoke(grant_id=applying.pk, by=cast["admin"], reason="asked for the wrong role")
    applying.refresh_from_db()
    assert applying.status == "ending"  # whatever Airflow may have by now is taken away
    assert removals().count() == 1


def test_a_grant_that_does_not_exist(cast):
    with pytest.raises(Missing):
        grants.revoke(grant_id=999, by=cast["admin"], reason="x")


@pytest.mark.parametrize("what", ["revoke", "hand back", "expire", "confirm", "fail"])
def test_no_event_no_change(cast, what, request):
    grant = factories.grant_at_status("applying")
    if what in ("revoke", "hand back", "expire"):
        confirm(grant)
    status = grant.status
    request.getfixturevalue("broken_trail")
    before = Operation.objects.count()
    act = {
        "revoke": lambda: grants.revoke(grant_id=grant.pk, by=cast["lead"], reason="over"),
        "hand back": lambda: grants.hand_back(grant_id=grant.pk, by=cast["employee"]),
        "expire": lambda: grants.end(grant.pk, reason=Grant.EndReason.EXPIRED),
        "confirm": lambda: confirm(grant),
        "fail": lambda: fail(grant),
    }[what]
    with time_machine.travel(timezone.now() + 9 * HOURS), pytest.raises(DatabaseError):
        act()
    assert Grant.objects.get().status == status
    assert Operation.objects.count() == before


def test_who_sees_a_grant(active, cast):
    for who in ("employee", "lead", "lead2", "auditor", "admin"):
        assert queries.grant_for(cast[who], active.pk) == active
    for who in ("colleague", "security", "stranger"):
        with pytest.raises(Missing):
            queries.grant_for(cast[who], active.pk)
