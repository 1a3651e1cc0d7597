"""Returning a request for changes, and sending it again: each return begins another round."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group
from django.db import Error as DatabaseError
from django.utils import timezone

from accounts import roles
from accounts.permissions import Permission
from portal.access.models import AccessRequest, Grant
from portal.approvals import actions, lapsing, queries
from portal.approvals.comments import comment
from portal.approvals.models import Decision, Request, Resubmission, Waiting
from portal.approvals.resubmitting import resubmit
from portal.approvals.timeline import timeline
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.core.errors import Conflict, Invalid, Refused
from tests import factories
from tests.factories import person

pytestmark = pytest.mark.usefixtures("catalogue")
HOURS = timedelta(hours=1)
OP = "demo/role/Op"


@pytest.fixture
def asked(cast):
    return factories.request_at_status("pending", entitlement=OP)


@pytest.fixture
def returned(asked, cast):
    actions.approve(request_id=asked.pk, by=cast["lead"], duration=2 * HOURS)
    return actions.return_for_changes(request_id=asked.pk, by=cast["security"], comment="Name the report.")


def last_event() -> AuditEvent:
    return AuditEvent.objects.latest("seq")


def test_a_return_closes_the_round_and_leaves_the_queues(returned, cast):
    row = AccessRequest.objects.get()
    assert (row.status, row.round, row.closed_at) == ("returned", 1, None)
    assert [stage.status for stage in row.stages.all()] == ["done", "closed"]
    assert not Waiting.objects.exists()
    assert [queries.count_for(cast[name]) for name in ("lead", "lead2", "security")] == [0, 0, 0]
    assert (last_event().verb, last_event().detail["comment"]) == (Verb.REQUEST_RETURNED, "Name the report.")
    assert verify().problems == []


def test_sent_again_all_steps_are_decided_anew_under_the_new_terms(returned, cast):
    resubmit(request_id=returned.pk, by=cast["employee"], duration=4 * HOURS, reason="the monthly report of sales")
    row = AccessRequest.objects.get()
    assert (row.status, row.round, row.duration, row.ticket) == ("pending", 2, 4 * HOURS, "OPS-7")
    assert [(stage.round, stage.status) for stage in row.stages.order_by("pk")] == [
        (1, "done"), (1, "closed"), (2, "open"), (2, "waiting"),
    ]  # fmt: skip
    assert [queries.count_for(cast[name]) for name in ("lead", "lead2", "security")] == [1, 1, 0]
    actions.approve(request_id=row.pk, by=cast["lead"], round=2)
    actions.approve(request_id=row.pk, by=cast["security"], round=2)
    assert Grant.objects.get().duration == 4 * HOURS, "the shorter time of the first round does not count"
    assert verify().problems == []
    before = Resubmission.objects.get()
    assert (before.round, before.duration_before, before.reason_before) == (2, 8 * HOURS, "month-end close")


def test_the_timeline_tells_both_rounds(returned, cast):
    resubmit(request_id=returned.pk, by=cast["employee"], duration=4 * HOURS, ticket="OPS-8")
    told = [(step.title, step.note) for step in timeline(AccessRequest.objects.get())]
    assert told[:4] == [
        ("Asked", "month-end close"),
        ("Approved for 2 hours", ""),
        ("Returned for changes", "Name the report."),
        ("Sent again", "For 4 hours instead of 8 hours. Ticket OPS-8 instead of OPS-7."),
    ]
    assert told[4][0] == "lead or lead2 decides"


def test_a_second_return_begins_a_third_round(returned, cast):
    resubmit(request_id=returned.pk, by=cast["employee"])
    actions.return_for_changes(request_id=returned.pk, by=cast["lead"], comment="Still too long.", round=2)
    resubmit(request_id=returned.pk, by=cast["employee"], duration=1 * HOURS)
    assert AccessRequest.objects.get().round == 3
    assert verify().problems == []


@pytest.mark.parametrize("who", ["employee", "colleague", "security", "auditor", "admin", "stranger"])
def test_only_who_decides_the_open_step_returns(asked, cast, who):
    with pytest.raises(Refused):
        actions.return_for_changes(request_id=asked.pk, by=cast[who], comment="no")
    assert (last_event().verb, Request.objects.get().status) == (Verb.REQUEST_RETURN_REFUSED, "pending")


def test_a_return_says_what_to_change(asked, cast):
    with pytest.raises(Invalid, match="Say what should be changed"):
        actions.return_for_changes(request_id=asked.pk, by=cast["lead"], comment=" ")


@pytest.mark.parametrize("who", ["colleague", "lead", "security", "admin"])
def test_only_who_asked_sends_it_again(returned, cast, who):
    with pytest.raises(Refused) as refusal:
        resubmit(request_id=returned.pk, by=cast[who], duration=1 * HOURS)
    assert refusal.value.reason == "not_yours"
    assert (last_event().verb, Request.objects.get().status) == (Verb.REQUEST_RESUBMIT_REFUSED, "returned")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"duration": 9 * HOURS}, "duration"),
        ({"duration": timedelta(seconds=5)}, "duration"),
        ({"reason": "  "}, "reason"),
        ({"reason": "aaa aaa"}, "reason"),
        ({"ticket": "nonsense"}, "ticket"),
        ({"ticket": ""}, "ticket"),
    ],
)
def test_what_is_sent_again_is_checked_like_a_new_request(returned, cast, changed, field):
    with pytest.raises(Invalid) as wrong:
        resubmit(request_id=returned.pk, by=cast["employee"], **changed)
    assert list(wrong.value.fields) == [field]
    row = AccessRequest.objects.get()
    assert (row.status, row.round, row.duration, row.reason, row.ticket) == (
        "returned", 1, 8 * HOURS, "month-end close", "OPS-7",
    )  # fmt: skip


def test_who_may_not_ask_any_more_does_not_send_it_again(returned, cast):
    cast["employee"].groups.remove(Group.objects.get(name="data"))
    with pytest.raises(Refused) as refusal:
        resubmit(request_id=returned.pk, by=cast["employee"])
    assert refusal.value.reason == "not_eligible"


def test_who_may_not_ask_any_more_does_not_send_it_again_for_somebody_else(cast):
    back = factories.request_at_status("returned", entitlement=OP, beneficiary="colleague")
    cast["employee"].groups.clear()
    with pytest.raises(Refused, match="employee may no longer request demo/role/Op") as refusal:
        resubmit(request_id=back.pk, by=cast["employee"], duration=7 * HOURS)
    assert (refusal.value.reason, Request.objects.get().status) == ("outdated", "returned")


def test_the_ticket_fits_the_policy_in_force_too(returned, cast, tmp_path):
    narrower = factories.CATALOGUE.read_text().replace('ticket = "^OPS-[0-9]+$"', 'ticket = "^OPS-[0-9]$"')
    factories.offer(tmp_path, source=narrower.replace('ticket_example = "OPS-123"', 'ticket_example = "OPS-1"'))
    with pytest.raises(Invalid) as wrong:
        resubmit(request_id=returned.pk, by=cast["employee"], ticket="OPS-123")
    assert list(wrong.value.fields) == ["ticket"]
    resubmit(request_id=returned.pk, by=cast["employee"], ticket="OPS-9")


def test_the_approvers_of_an_open_request_keep_their_role_however_long_it_takes(returned, cast, tmp_path):
    """Each return and each round give the time of the policy again."""
    text = factories.CATALOGUE.read_text()
    with time_machine.travel(timezone.now(), tick=False) as now:
        factories.offer(tmp_path, source=text.replace('approvers = ["group:security"]', 'approvers = ["group:admins"]'))
        for number in range(3):
            now.shift(timedelta(days=2, hours=23))
            resubmit(request_id=returned.pk, by=cast["employee"])
            now.shift(timedelta(days=2, hours=23))
            back = {"request_id": returned.pk, "comment": "Shorter.", "round": number + 2}
            actions.return_for_changes(**back, by=cast["lead"])
        changed = text.replace('approvers = ["group:security"]', 'approvers = ["group:auditors"]')
        factories.offer(tmp_path, source=changed)
        assert Request.objects.get().closed_at is None
        assert roles.has(person("security"), Permission.DECIDE)
        actions.withdraw(request_id=returned.pk, by=cast["employee"])
        factories.offer(tmp_path, source=changed + "\n[groups.more]\n")
    assert not roles.has(person("security"), Permission.DECIDE)


def test_what_nobody_could_decide_is_not_sent_again(returned, cast):
    Group.objects.get(name="security").user_set.clear()
    with pytest.raises(Refused) as refusal:
        resubmit(request_id=returned.pk, by=cast["employee"])
    assert refusal.value.reason == "no_approver"


def test_a_returned_request_is_not_decided_and_a_pending_one_not_sent_again(returned, cast):
    for decide in (
        lambda: actions.approve(request_id=returned.pk, by=cast["lead"]),
        lambda: actions.deny(request_id=returned.pk, by=cast["lead"], comment="no"),
        lambda: actions.return_for_changes(request_id=returned.pk, by=cast["lead"], comment="no"),
    ):
        with pytest.raises(Conflict, match="security returned REQ-"):
            decide()
    resubmit(request_id=returned.pk, by=cast["employee"])
    with pytest.raises(Conflict, match="is waiting for a decision"):
        resubmit(request_id=returned.pk, by=cast["employee"])


@pytest.mark.parametrize("act", ["approve", "deny", "return_for_changes"])
def test_terms_that_were_changed_meanwhile_are_not_decided_unseen(returned, cast, act):
    resubmit(request_id=returned.pk, by=cast["employee"], duration=7 * HOURS)
    with pytest.raises(Conflict, match="changed after you opened it"):
        getattr(actions, act)(request_id=returned.pk, by=cast["lead2"], comment="fine", round=1)
    with pytest.raises(Conflict, match=r"name the round that you read \(round 2\)"):
        getattr(actions, act)(request_id=returned.pk, by=cast["lead2"], comment="fine")
    getattr(actions, act)(request_id=returned.pk, by=cast["lead2"], comment="fine", round=2)


def test_a_returned_request_can_be_withdrawn_and_keeps_its_place(returned, cast):
    with pytest.raises(Conflict, match="was returned to employee for changes"):
        factories.request_at_status("pending", entitlement=OP)
    actions.withdraw(request_id=returned.pk, by=cast["employee"])
    assert Request.objects.get().status == "withdrawn"
    factories.request_at_status("pending", entitlement=OP)
    assert verify().problems == []


def test_a_returned_request_lapses(returned, cast):
    with time_machine.travel(returned.lapses_at + timedelta(seconds=1), tick=False):
        with pytest.raises(Conflict, match="not sent again in time"):
            resubmit(request_id=returned.pk, by=cast["employee"])
        assert lapsing.lapse_due() == 1
    row = Request.objects.get()
    assert (row.status, row.closed_because) == ("lapsed", lapsing.NOT_SENT_AGAIN)
    assert verify().problems == []


@pytest.mark.parametrize("meanwhile", ["returned", "sent again"])
def test_what_was_done_in_time_is_not_lapsed_by_a_sweep_that_listed_it(asked, cast, meanwhile):
    if meanwhile == "sent again":
        asked = actions.return_for_changes(request_id=asked.pk, by=cast["lead"], comment="Shorter, please.")
    with time_machine.travel(asked.lapses_at - timedelta(seconds=1), tick=False):
        if meanwhile == "sent again":
            resubmit(request_id=asked.pk, by=cast["employee"])
        else:
            actions.return_for_changes(request_id=asked.pk, by=cast["lead"], comment="Shorter, please.")
        lapsing._lapse_late(asked.pk)
    assert Request.objects.get().closed_at is None


def test_a_shorter_time_of_the_ended_round_does_not_count(returned):
    assert AccessRequest.objects.get().approved_span == 8 * HOURS
    assert timeline(AccessRequest.objects.get())[-1].expected == "8 hours after it is verified"


def test_decisions_and_comments_are_in_the_order_of_their_events(asked, cast):
    """Not of clocks, which may be set back."""
    with time_machine.travel(timezone.now() + timedelta(seconds=2), tick=False):
        actions.approve(request_id=asked.pk, by=cast["lead"])
        comment(request_id=asked.pk, by=cast["employee"], text="First.")
    comment(request_id=asked.pk, by=cast["employee"], text="Second.")
    actions.return_for_changes(request_id=asked.pk, by=cast["security"], comment="Name the report.")
    resubmit(request_id=asked.pk, by=cast["employee"])
    assert verify().problems == []


def test_a_missing_row_of_a_round_does_not_hide_the_request(returned, cast):
    resubmit(request_id=returned.pk, by=cast["employee"])
    Resubmission.objects.all().delete()
    assert "Sent again" in [step.title for step in timeline(AccessRequest.objects.get())]
    assert any("its earlier_rounds is empty" in problem for problem in verify().problems)


def test_a_return_and_a_new_round_give_the_time_of_the_policy_again(asked, cast):
    pending_for = timedelta(days=3)
    with time_machine.travel(asked.lapses_at - timedelta(minutes=1), tick=False):
        back = actions.return_for_changes(request_id=asked.pk, by=cast["lead"], comment="Shorter, please.")
    assert back.lapses_at == asked.lapses_at - timedelta(minutes=1) + pending_for
    with time_machine.travel(back.lapses_at - timedelta(minutes=1), tick=False):
        again = resubmit(request_id=asked.pk, by=cast["employee"])
    assert again.lapses_at == back.lapses_at - timedelta(minutes=1) + pending_for
    assert verify().problems == []


def test_no_event_no_return(asked, cast, broken_trail):
    with pytest.raises(DatabaseError):
        actions.return_for_changes(request_id=asked.pk, by=cast["lead"], comment="Shorter, please.")
    assert (Request.objects.get().status, Decision.objects.count(), Waiting.objects.count()) == ("pending", 0, 1)


def test_no_event_no_new_round(returned, cast, broken_trail):
    with pytest.raises(DatabaseError):
        resubmit(request_id=returned.pk, by=cast["employee"], duration=1 * HOURS)
    row = Request.objects.get()
    assert (row.status, row.round, row.duration, Resubmission.objects.count()) == ("returned", 1, 8 * HOURS, 0)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (lambda: Request.objects.update(round=1), "its decisions is lead approve step 1 for PT2H"),
        (lambda: Resubmission.objects.update(reason_before="x"), "its earlier_rounds is PT8H OPS-7: x"),
        (lambda: Decision.objects.filter(outcome="return").update(comment="Fine."), "its earlier_decisions is"),
        (lambda: Decision.objects.filter(outcome="return").update(round=2), "its decisions is security return"),
    ],
)
def test_a_changed_round_is_found(returned, cast, forge, words):
    resubmit(request_id=returned.pk, by=cast["employee"], duration=4 * HOURS)
    assert verify().problems == []
    forge()
    assert any(words in problem for problem in verify().problems), verify().problems
