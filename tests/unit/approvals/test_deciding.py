"""Deciding: who may, in which order, for how long; and that a second word never undoes the first."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import Error as DatabaseError

from portal.access.models import AccessRequest, Grant
from portal.approvals import actions
from portal.approvals.models import Decision
from portal.approvals.permissions import check_can_decide
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid, Missing, Refused, why_not
from portal.operations.models import Operation
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")
HOURS = timedelta(hours=1)


@pytest.fixture
def request_(cast):
    return factories.request_at_status("pending", duration=8 * HOURS)


@pytest.fixture
def two_steps(cast):
    return factories.request_at_status("pending", entitlement="demo/role/Op")


def last_event():
    return AuditEvent.objects.order_by("-seq").first()


def test_an_approval_makes_the_grant_and_the_operation(request_, cast):
    done = actions.approve(request_id=request_.pk, by=cast["lead"], comment="fine")
    assert done.status == "approved"
    grant = Grant.objects.get(request=request_)
    assert (grant.status, grant.duration, grant.beneficiary) == ("applying", 8 * HOURS, cast["employee"])
    operation = Operation.objects.get()
    assert (operation.kind, operation.subject, operation.payload) == ("grant_role", grant.ref, {"grant": grant.pk})
    assert last_event().verb == Verb.REQUEST_APPROVED


def test_an_approver_may_shorten_and_never_lengthen(request_, cast):
    with pytest.raises(Invalid, match="8 hours"):
        actions.approve(request_id=request_.pk, by=cast["lead"], duration=9 * HOURS)
    actions.approve(request_id=request_.pk, by=cast["lead"], duration=2 * HOURS)
    assert Grant.objects.get().duration == 2 * HOURS


def test_the_shortest_time_of_all_steps_counts(two_steps, cast):
    actions.approve(request_id=two_steps.pk, by=cast["lead"], duration=2 * HOURS)
    with pytest.raises(Invalid, match="2 hours"):
        actions.approve(request_id=two_steps.pk, by=cast["security"], duration=3 * HOURS)
    actions.approve(request_id=two_steps.pk, by=cast["security"])
    assert Grant.objects.get().duration == 2 * HOURS


def test_the_second_step_opens_when_the_first_is_done(two_steps, cast):
    with pytest.raises(Refused, match="group data-leads decides"):
        actions.approve(request_id=two_steps.pk, by=cast["security"])
    actions.approve(request_id=two_steps.pk, by=cast["lead"])
    two_steps.refresh_from_db()
    assert two_steps.status == "pending"
    assert [stage.status for stage in two_steps.stages.all()] == ["done", "open"]
    assert not Grant.objects.exists()
    with pytest.raises(Refused) as refusal:
        actions.approve(request_id=two_steps.pk, by=cast["lead2"])
    assert refusal.value.reason == "not_an_approver"
    actions.approve(request_id=two_steps.pk, by=cast["security"])
    two_steps.refresh_from_db()
    assert two_steps.status == "approved"


def test_a_person_in_both_steps_counts_once(two_steps, cast):
    from django.contrib.auth.models import Group

    Group.objects.get(name="security").user_set.add(cast["lead"])
    actions.approve(request_id=two_steps.pk, by=cast["lead"])
    with pytest.raises(Refused) as refusal:
        actions.approve(request_id=two_steps.pk, by=cast["lead"])
    assert refusal.value.reason == "already_decided"


def test_a_quorum_needs_that_many_people(cast, request_):
    stage = request_.stages.get()
    stage.quorum = 2
    stage.save(update_fields=["quorum"])
    actions.approve(request_id=request_.pk, by=cast["lead"])
    request_.refresh_from_db()
    assert request_.status == "pending"
    actions.approve(request_id=request_.pk, by=cast["lead2"])
    request_.refresh_from_db()
    assert request_.status == "approved"


def test_nobody_decides_their_own_request(cast):
    request = factories.request_at_status("pending", by="lead")
    for decide in (
        lambda: actions.approve(request_id=request.pk, by=cast["lead"]),
        lambda: actions.deny(request_id=request.pk, by=cast["lead"], comment="no"),
    ):
        with pytest.raises(Refused, match="Someone else must decide") as refusal:
            decide()
        assert refusal.value.reason == "own_request"
    assert last_event().verb == Verb.REQUEST_DENY_REFUSED
    assert not Decision.objects.exists()


def test_who_asked_for_somebody_else_does_not_decide_it_either(cast):
    request = factories.request_at_status("pending", by="lead", beneficiary="employee")
    with pytest.raises(Refused, match="This is your own request") as refusal:
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert refusal.value.reason == "own_request"
    actions.approve(request_id=request.pk, by=cast["lead2"])


def test_nobody_decides_for_their_own_benefit(cast):
    request = factories.request_at_status("pending", by="employee", beneficiary="lead")
    with pytest.raises(Refused) as refusal:
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert refusal.value.reason == "own_request"
    actions.approve(request_id=request.pk, by=cast["lead2"])


@pytest.mark.parametrize("who", ["employee", "colleague", "security", "auditor", "admin", "stranger"])
def test_only_approvers_of_the_open_step_decide(request_, cast, who):
    with pytest.raises(Refused):
        actions.approve(request_id=request_.pk, by=cast[who])
    assert why_not(check_can_decide, cast[who], request_)
    assert AccessRequest.objects.get().status == "pending"


def test_who_left_the_group_a_moment_ago_decides_no_more(request_, cast):
    cast["lead"].groups.clear()
    with pytest.raises(Refused):
        actions.approve(request_id=request_.pk, by=cast["lead"])


def test_who_is_deactivated_decides_no_more(request_, cast):
    cast["lead"].is_active = False
    cast["lead"].save(update_fields=["is_active"])
    with pytest.raises(Refused):
        actions.approve(request_id=request_.pk, by=cast["lead"])


def test_a_beneficiary_who_left_the_policys_group_gets_nothing(request_, cast):
    cast["employee"].groups.clear()
    with pytest.raises(Refused, match="employee is not allowed") as refusal:
        actions.approve(request_id=request_.pk, by=cast["lead"])
    assert refusal.value.reason == "not_eligible"
    assert not Grant.objects.exists()


def test_the_second_approver_hears_who_was_first(request_, cast):
    actions.approve(request_id=request_.pk, by=cast["lead"])
    with pytest.raises(Conflict, match="lead approved"):
        actions.approve(request_id=request_.pk, by=cast["lead2"])
    with pytest.raises(Conflict, match="lead approved"):
        actions.deny(request_id=request_.pk, by=cast["lead2"], comment="no")
    assert Decision.objects.count() == 1
    assert Grant.objects.count() == 1


def test_a_double_click_is_one_decision(request_, cast):
    actions.approve(request_id=request_.pk, by=cast["lead"])
    with pytest.raises(Conflict):
        actions.approve(request_id=request_.pk, by=cast["lead"])
    assert Decision.objects.count() == 1


def test_what_was_withdrawn_cannot_be_approved(cast):
    request = factories.request_at_status("withdrawn")
    with pytest.raises(Conflict, match="employee withdrew"):
        actions.approve(request_id=request.pk, by=cast["lead"])


def test_what_has_lapsed_cannot_be_approved_even_before_the_sweep(request_, cast):
    with time_machine.travel(request_.lapses_at + timedelta(seconds=1)), pytest.raises(Conflict) as conflict:
        actions.approve(request_id=request_.pk, by=cast["lead"])
    assert conflict.value.reason == "lapsed"


def test_a_denial_needs_a_reason_and_ends_the_request(two_steps, cast):
    with pytest.raises(Invalid):
        actions.deny(request_id=two_steps.pk, by=cast["lead"], comment=" ")
    actions.deny(request_id=two_steps.pk, by=cast["lead"], comment="not this week")
    two_steps.refresh_from_db()
    assert two_steps.status == "denied"
    assert {stage.status for stage in two_steps.stages.all()} == {"closed"}
    with pytest.raises(Conflict, match="lead denied"):
        actions.withdraw(request_id=two_steps.pk, by=cast["employee"])


def test_only_those_concerned_withdraw(request_, cast):
    with pytest.raises(Refused):
        actions.withdraw(request_id=request_.pk, by=cast["colleague"])
    actions.withdraw(request_id=request_.pk, by=cast["employee"])
    request_.refresh_from_db()
    assert request_.status == "withdrawn"


def test_a_request_that_does_not_exist(cast):
    with pytest.raises(Missing):
        actions.approve(request_id=999, by=cast["lead"])


@pytest.mark.parametrize("what", ["approve", "deny", "withdraw"])
def test_no_event_no_decision(request_, cast, broken_trail, what):
    act = {
        "approve": lambda: actions.approve(request_id=request_.pk, by=cast["lead"]),
        "deny": lambda: actions.deny(request_id=request_.pk, by=cast["lead"], comment="no"),
        "withdraw": lambda: actions.withdraw(request_id=request_.pk, by=cast["employee"]),
    }[what]
    with pytest.raises(DatabaseError):
        act()
    request_.refresh_from_db()
    assert request_.status == "pending"
    assert [stage.status for stage in request_.stages.all()] == ["open"]
    assert not Decision.objects.exists()
    assert not Grant.objects.exists()
    assert not Operation.objects.exists()
