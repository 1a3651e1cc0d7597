"""A request does not outlive its offer, nor those who made it."""

from __future__ import annotations

import json

import pytest

from accounts.models import User
from portal.approvals import actions, lapsing
from portal.approvals.timeline import timeline
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.core.errors import Conflict
from tests import factories
from tests.unit.conftest import Change

USER = "demo/role/User"
ONE_LEAD = 'stages = [{ approvers = ["group:data-leads"], quorum = 1 }]'
TWO_STEPS = """[policies.two]
may_request = ["group:data"]
stages = [{ approvers = ["group:data-leads"] }, { approvers = ["group:security"] }]

[policies.at-once]"""
MONTH = 'max_duration = "30d"\npolicy = "one-lead"'  # of User, the first one in the file


def user_entry() -> str:
    text = factories.CATALOGUE.read_text()
    start = text.index('[[entitlements]]\ndeployment = "demo"\nrole = "User"')
    return text[start : text.index("[[entitlements]]", start + 1)]


STRICTER: dict[str, tuple[list[tuple[str, str]], str]] = {
    "taken out": ([(user_entry(), "")], "no longer offered"),
    "who may ask": (
        [('may_request = ["group:data", "group:sales"]', 'may_request = ["group:sales"]')],
        "employee may no longer request",
    ),
    "another policy with more steps": (
        [(MONTH, MONTH.replace("one-lead", "two")), ("[policies.at-once]", TWO_STEPS)],
        "more approvals",
    ),
    "a larger quorum": ([(ONE_LEAD, ONE_LEAD.replace("1", "2"))], "more approvals"),
    "a shorter time": ([(MONTH, 'max_duration = "4h"\npolicy = "one-lead"')], "at most 4 hours"),
    "a ticket": ([("[policies.one-lead]", '[policies.one-lead]\nticket = "^NEW-[0-9]+$"')], "another ticket"),
}
SAME_OR_EASIER: dict[str, list[tuple[str, str]]] = {
    "other words": [('title = "Work with DAGs"', 'title = "Run DAGs"')],
    "other approvers": [(ONE_LEAD, ONE_LEAD.replace("data-leads", "security"))],
    "nobody decides any more": [(ONE_LEAD, "stages = []")],
    "somebody else's rules": [('max_duration = "7d"', 'max_duration = "1h"')],
}


@pytest.mark.parametrize("name", STRICTER)
def test_a_request_lapses_with_the_catalogue_that_would_not_let_it_be_made(cast, change_catalogue: Change, name):
    request = factories.request_at_status("pending")
    changes, why = STRICTER[name]
    change_catalogue(*changes)
    request.refresh_from_db()
    assert request.status == "lapsed"
    assert why in request.closed_because
    assert {stage.status for stage in request.stages.all()} == {"closed"}
    event = AuditEvent.objects.get(verb=Verb.REQUEST_LAPSED)
    assert json.loads(event.payload)["detail"]["why"] == request.closed_because
    assert why in sentence(event)
    assert why in timeline(request)[-1].note
    with pytest.raises(Conflict, match=why) as refusal:
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert refusal.value.reason == "lapsed"


@pytest.mark.parametrize("name", SAME_OR_EASIER)
def test_a_request_stays_as_it_was_made_under_rules_that_are_not_stricter(catalogue, change_catalogue: Change, name):
    request = factories.request_at_status("pending")
    change_catalogue(*SAME_OR_EASIER[name])
    request.refresh_from_db()
    assert request.status == "pending"
    assert [a.subject for stage in request.stages.all() for a in stage.approvers.all()] == ["group:data-leads"]


def test_offered_again_under_stricter_rules_it_has_to_be_asked_for_anew(cast, change_catalogue: Change):
    request = factories.request_at_status("pending")
    change_catalogue((user_entry(), ""))
    change_catalogue(("# --- who decides", "# --- who may decide"))  # as it was
    with pytest.raises(Conflict, match="no longer offered"):
        actions.approve(request_id=request.pk, by=cast["lead"])
    assert factories.request_at_status("pending").status == "pending"


def test_what_is_decided_already_is_left_alone(catalogue, change_catalogue: Change):
    request = factories.request_at_status("approved")
    change_catalogue((user_entry(), ""))
    request.refresh_from_db()
    assert request.status == "approved"


@pytest.mark.parametrize(
    ("by", "beneficiary"), [("employee", None), ("colleague", "employee"), ("employee", "colleague")]
)
def test_requests_of_somebody_who_left_by_another_way_lapse_too(catalogue, by, beneficiary):
    """By a directory, or by hand in the database."""
    request = factories.request_at_status("pending", by=by, beneficiary=beneficiary)
    others = factories.request_at_status("pending", by="lead")
    assert lapsing.lapse_of_leavers() == 0
    User.objects.filter(username="employee").update(is_active=False)
    assert lapsing.lapse_of_leavers() == 1
    request.refresh_from_db()
    assert (request.status, request.closed_because) == ("lapsed", "employee can no longer sign in.")
    others.refresh_from_db()
    assert others.status == "pending"


def test_looking_for_those_who_left_pairs_no_requests_with_others(cast, django_assert_num_queries):
    """Who made 1,000 requests and got 1,000 would be a million rows, every five seconds."""
    with django_assert_num_queries(1) as asked:
        assert lapsing.lapse_of_leavers() == 0
    assert "JOIN" not in asked.captured_queries[0]["sql"]
