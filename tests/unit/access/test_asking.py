"""Asking for access: what is allowed, what is refused and why, and that a refusal leaves a trace and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import Error as DatabaseError
from django.utils import timezone

from portal.access.actions import submit
from portal.access.models import AccessRequest, Grant
from portal.approvals import actions, lapsing
from portal.approvals.models import Stage
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import queries as offered
from portal.core.errors import Conflict, Invalid, Refused
from portal.core.text_checks import clean_text
from portal.operations.models import Operation
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")
HOURS = timedelta(hours=1)


def ask(by, what="demo/role/User", /, **changes):
    values = {"duration": 8 * HOURS, "reason": "month-end close"} | changes
    return submit(by=by, entitlement=offered.entitlement(what), **values)


def test_a_request_waits_for_the_first_step_of_its_policy(employee):
    request = ask(employee, "demo/role/Op", ticket="OPS-12")
    assert request.status == "pending"
    assert request.policy == "lead-then-security"
    assert request.policy_version == offered.version_in_force().number
    assert request.lapses_at - request.created_at == pytest.approx(timedelta(days=3), abs=timedelta(seconds=5))
    stages = [(stage.status, [a.subject for a in stage.approvers.all()]) for stage in request.stages.all()]
    assert stages == [("open", ["group:data-leads"]), ("waiting", ["group:security"])]
    assert factories.verbs()[-1] == Verb.REQUEST_SUBMITTED
    assert not Grant.objects.exists()


def test_what_is_granted_at_once_is_approved_by_nobody_and_goes_to_the_worker(employee):
    request = ask(employee, "demo/role/Viewer")
    assert request.status == "approved"
    assert request.grant.status == "applying"
    assert not request.decisions.exists()
    operation = Operation.objects.get()
    assert (operation.kind, operation.subject) == ("grant_role", request.grant.ref)
    assert factories.verbs()[-2:] == [Verb.REQUEST_SUBMITTED, Verb.REQUEST_GRANTED_AT_ONCE]


def test_break_glass_is_marked_as_such(cast):
    request = ask(cast["lead"], "demo/role/Admin", duration=HOURS)
    assert request.break_glass and request.status == "approved"
    assert '"break_glass":true' in AuditEvent.objects.order_by("-seq").first().payload


def test_a_later_start_schedules_the_grant(employee):
    start = timezone.now() + 2 * HOURS
    request = ask(employee, "demo/role/Viewer", starts_at=start)
    assert (request.grant.status, request.grant.starts_at) == ("scheduled", start)
    assert not Operation.objects.exists()


def test_who_the_policy_does_not_name_is_refused_in_words(stranger):
    with pytest.raises(Refused, match="group data") as refusal:
        ask(stranger)
    assert refusal.value.reason == "not_eligible"
    assert not AccessRequest.objects.exists()
    event = AuditEvent.objects.order_by("-seq").first()
    assert (event.verb, event.outcome, event.actor) == (Verb.REQUEST_SUBMIT_REFUSED, "refused", "stranger")


def test_nobody_asks_for_a_person_who_could_not_ask_themselves(employee, stranger):
    with pytest.raises(Refused, match="stranger is not allowed"):
        ask(employee, beneficiary=stranger)


def test_a_person_who_can_no_longer_sign_in_receives_nothing(employee, cast):
    cast["colleague"].is_active = False
    cast["colleague"].save(update_fields=["is_active"])
    with pytest.raises(Refused) as refusal:
        ask(employee, beneficiary=cast["colleague"])
    assert refusal.value.reason == "inactive"


def test_everything_wrong_is_said_at_once_by_field(employee):
    with pytest.raises(Invalid) as refusal:
        ask(
            employee,
            "demo/role/Op",
            duration=9 * HOURS,
            reason="  ",
            ticket="ABC",
            starts_at=timezone.now() - 3 * HOURS,
        )
    assert set(refusal.value.fields) == {"duration", "reason", "ticket", "starts_at"}
    assert "8 hours" in refusal.value.fields["duration"]
    assert "OPS-" in refusal.value.fields["ticket"]


UNSEEN = ["\u3164\u115f\u1160\uffa0\u3164", "\u200d\u200c", "\u2800 \u2800", "\u034f", "\ufe0f", "\U000e0100", "\u2065"]


@pytest.mark.parametrize("text", UNSEEN)
def test_invisible_characters_are_no_text(text):
    assert clean_text("comment", text) == ""
    with pytest.raises(Invalid, match="Say why"):
        clean_text("reason", text, required="Say why.")


def test_invisible_characters_are_no_reason_for_access_of_high_risk(lead):
    with pytest.raises(Invalid) as refusal:
        ask(lead, "demo/role/Admin", duration=HOURS, reason="\u3164\u115f\u1160\uffa0\u3164")
    assert set(refusal.value.fields) == {"reason"}
    with pytest.raises(Invalid) as refusal:
        ask(lead, "demo/role/Admin", duration=HOURS, reason="why\u3164\u115f\u1160\uffa0\u3164")
    assert set(refusal.value.fields) == {"reason"}


def test_what_joins_visible_characters_stays():
    assert clean_text("reason", "fix it \u2764\ufe0f") == "fix it \u2764\ufe0f"


TOKEN = f"gh_abcdefghijkl_{'A1' * 19}"


@pytest.mark.parametrize("field", ["reason", "comment", "note"])
def test_a_text_with_a_token_is_refused_without_repeating_it(field):
    with pytest.raises(Invalid) as refusal:
        clean_text(field, f"called with {TOKEN}, twice")
    assert refusal.value.fields == {field: f"The {field} contains an API token. Remove it."}
    assert clean_text(field, "in gh_dataplatform_daily, by gh_abcdefghijkl_***")


def test_a_ticket_is_kept_clean(employee):
    assert ask(employee, ticket="\u3164").ticket == ""
    with pytest.raises(Invalid, match="ticket contains an API token"):
        ask(employee, "demo/role/Viewer", ticket=TOKEN)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("duration", {"duration": timedelta(seconds=59)}),
        ("duration", {"duration": timedelta(days=30, seconds=1)}),
        ("reason", {"reason": "x" * 2001}),
        ("reason", {"reason": "nul \x00"}),
        ("reason", {"reason": "turned \u202e around"}),
        ("reason", {"reason": "half \ud800"}),
        ("ticket", {"ticket": "T" * 81}),
        ("starts_at", {"starts_at": timezone.now() + timedelta(days=91)}),
    ],
)
def test_values_beyond_their_bounds_are_refused(employee, field, changes):
    with pytest.raises(Invalid) as refusal:
        ask(employee, **changes)
    assert list(refusal.value.fields) == [field]


@pytest.mark.parametrize("duration", [timedelta(minutes=1), timedelta(days=30)])
def test_the_bounds_themselves_are_allowed(employee, duration):
    assert ask(employee, duration=duration).duration == duration


def test_one_open_request_per_person_and_entitlement(employee):
    first = ask(employee)
    with pytest.raises(Conflict, match=first.ref) as conflict:
        ask(employee)
    assert conflict.value.reason == "already_open"
    assert AccessRequest.objects.count() == 1
    ask(employee, "demo/dag/sales_report/view")


def test_a_settled_request_does_not_stand_in_the_way(employee):
    factories.request_at_status("withdrawn")
    assert ask(employee).status == "pending"


def test_where_nobody_could_decide_the_request_is_refused_at_once(employee, cast):
    for name in ("lead", "lead2"):
        cast[name].is_active = False
        cast[name].save(update_fields=["is_active"])
    with pytest.raises(Refused, match="group data-leads") as refusal:
        ask(employee)
    assert refusal.value.reason == "no_approver"


def test_the_only_approver_cannot_ask_for_themselves(cast):
    cast["lead2"].is_active = False
    cast["lead2"].save(update_fields=["is_active"])
    with pytest.raises(Refused) as refusal:
        ask(cast["lead"])
    assert refusal.value.reason == "no_approver"


def test_what_is_no_longer_offered_is_refused(employee):
    entitlement = offered.entitlement("demo/role/User")
    entitlement.retired_at = timezone.now()
    entitlement.save(update_fields=["retired_at"])
    with pytest.raises(Refused) as refusal:
        submit(by=employee, entitlement=entitlement, duration=HOURS, reason="close")
    assert refusal.value.reason == "not_offered"


def test_no_event_no_request(employee, broken_trail):
    with pytest.raises(DatabaseError):
        ask(employee, "demo/role/Viewer")
    assert not AccessRequest.objects.exists()
    assert not Stage.objects.exists()
    assert not Grant.objects.exists()
    assert not Operation.objects.exists()


def test_a_request_nobody_decides_lapses(employee):
    request = factories.request_at_status("lapsed")
    assert [stage.status for stage in request.stages.all()] == ["closed"]
    assert factories.verbs()[-1] == Verb.REQUEST_LAPSED
    assert ask(employee).status == "pending"


def test_lapsing_leaves_what_still_has_time(employee):
    request = ask(employee)
    assert lapsing.lapse_due() == 0
    request.refresh_from_db()
    assert request.status == "pending"


def test_the_same_form_sent_twice_is_one_request(employee, lead):
    first = ask(employee, "demo/role/Viewer", key="form-1", duration=HOURS)
    assert ask(employee, "demo/role/Viewer", key="form-1", duration=HOURS) == first
    assert AccessRequest.objects.count() == Grant.objects.count() == Operation.objects.count() == 1
    assert ask(employee, "demo/role/Viewer", key="form-2", duration=HOURS) != first
    assert ask(lead, "demo/role/Viewer", key="form-1", duration=HOURS) != first  # somebody else's form


@pytest.mark.parametrize("other", [{"reason": "another thing"}, {"duration": HOURS}, {"what": "demo/role/Viewer"}])
def test_the_same_form_with_other_content_is_asked_anew(employee, other):
    """As after the browser's Back: the form has its old key, and what it asks for now is meant."""
    first = ask(employee, key="form-1")
    actions.withdraw(request_id=first.pk, by=employee)
    what = other.pop("what", "demo/role/User")
    second = ask(employee, what, key="form-1", **other)
    assert second != first
    assert not second.sent_again
    again = ask(employee, key="form-1")
    assert (again, again.status, again.sent_again) == (first, "withdrawn", True)


@pytest.mark.parametrize("reason", ["x", "ok", "........ ........", "a b", "wwwwwwwwwwwwwwwwwww"])
def test_high_risk_needs_a_reason_that_says_something(employee, cast, reason):
    for by, what in ((employee, "demo/role/Op"), (cast["lead"], "demo/role/Admin")):
        with pytest.raises(Invalid, match="Say in a few words what you will do with it") as wrong:
            ask(by, what, reason=reason, ticket="OPS-1", duration=HOURS)
        assert set(wrong.value.fields) == {"reason"}
    assert ask(employee, "demo/role/User", reason=reason)


def test_a_short_sentence_is_enough_for_high_risk(employee):
    assert ask(employee, "demo/role/Op", reason="rotate it now", ticket="OPS-1")
