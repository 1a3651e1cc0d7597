"""What people read: what they may ask for, whose requests they see, what waits for them, and a request's line."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group

from portal.access import grants, outcomes, queries
from portal.access.outcomes import Account
from portal.approvals import actions
from portal.approvals import queries as requests
from portal.approvals.timeline import timeline
from portal.audit.record import recording
from portal.core.errors import Missing
from portal.operations.models import Operation
from tests import factories

pytestmark = pytest.mark.usefixtures("catalogue")


def options(user, **asked):
    return {option.entitlement.key: option for option in queries.options_for(user, **asked)}


def test_options_say_who_decides_and_why_not(cast):
    mine = options(cast["employee"])
    assert mine["demo/role/User"].requestable
    assert [[p.username for p in stage] for stage in mine["demo/role/Op"].approvers] == [
        ["lead", "lead2"],
        ["security"],
    ]
    assert not mine["demo/role/Admin"].requestable
    assert mine["demo/role/Admin"].reason == "not_eligible"
    assert "group data-leads" in mine["demo/role/Admin"].why_not


def test_an_approver_is_not_named_for_their_own_request(cast):
    assert [p.username for p in options(cast["lead"])["demo/role/User"].approvers[0]] == ["lead2"]


def test_what_is_held_or_asked_for_is_shown_with_it(cast):
    held = factories.grant_at_status("applying", entitlement="demo/role/Viewer")
    asked = factories.request_at_status("pending", entitlement="demo/role/User")
    mine = options(cast["employee"])
    assert mine["demo/role/Viewer"].held == held
    assert mine["demo/role/Viewer"].requestable  # asking again prolongs it
    assert mine["demo/role/User"].open_request == asked
    assert not mine["demo/role/User"].requestable


def test_search_needs_all_words_in_any_field(cast):
    assert set(options(cast["employee"], q="sales pause")) == {"demo/dag/sales_report/operate"}
    assert set(options(cast["employee"], q="ＯＰＥＲＡＴＯＲ")) == {"demo/role/Op"}
    assert options(cast["employee"], q="nothing like it") == {}
    assert options(cast["employee"], deployment="elsewhere") == {}


def test_an_option_by_its_key(cast):
    assert queries.option_for(cast["employee"], "demo/role/User").requestable
    with pytest.raises(Missing):
        queries.option_for(cast["employee"], "demo/role/Nope")


def test_options_take_the_same_few_queries_however_many_there_are(cast, django_assert_max_num_queries):
    with django_assert_max_num_queries(30):
        queries.options_for(cast["employee"])


def test_who_sees_a_request(cast):
    request = factories.request_at_status("pending", entitlement="demo/role/Op")
    for who in ("employee", "lead", "lead2", "security", "auditor", "admin"):
        assert requests.request_for(cast[who], request.pk) == request
    for who in ("colleague", "stranger"):
        with pytest.raises(Missing):
            requests.request_for(cast[who], request.pk)


def waiting(user):
    return requests.full(requests.decidable_by(user))


def test_the_queue_is_the_open_step_of_others_requests_oldest_first(cast):
    op = factories.request_at_status("pending", entitlement="demo/role/Op")
    user = factories.request_at_status("pending", by="colleague")
    own = factories.request_at_status("pending", by="lead")
    assert waiting(cast["lead"]) == [op, user]
    assert waiting(cast["lead2"]) == [op, user, own]
    assert waiting(cast["security"]) == []
    actions.approve(request_id=op.pk, by=cast["lead"])
    assert waiting(cast["security"]) == [op]
    assert op not in waiting(cast["lead2"])
    for who in ("employee", "admin", "auditor", "stranger"):
        assert waiting(cast[who]) == []


def test_what_is_for_oneself_or_decided_or_late_is_not_in_ones_queue(cast):
    for_lead = factories.request_at_status("pending", by="employee", beneficiary="lead")
    assert waiting(cast["lead"]) == []
    assert waiting(cast["lead2"]) == [for_lead]
    with time_machine.travel(for_lead.lapses_at + timedelta(seconds=1)):
        assert waiting(cast["lead2"]) == []


def test_what_one_has_approved_waits_for_the_others_of_its_quorum(cast):
    request = factories.request_at_status("pending")
    request.stages.update(quorum=2)
    actions.approve(request_id=request.pk, by=cast["lead"])
    assert waiting(cast["lead"]) == []
    assert waiting(cast["lead2"]) == [request]


def test_somebody_in_two_approving_groups_sees_a_request_once(cast):
    request = factories.request_at_status("pending")
    stage = request.stages.get()
    stage.approvers.create(subject="user:lead")
    assert waiting(cast["lead"]) == [request]


def line(request):
    request = requests.request_for(factories.person("admin"), request.pk)
    return [(step.title, step.state) for step in timeline(request)]


def test_the_line_of_a_request_that_waits(cast):
    request = factories.request_at_status("pending", entitlement="demo/role/Op")
    assert line(request) == [
        ("Asked", "done"),
        ("lead or lead2 decides", "now"),
        ("security decides", "future"),
        ("Given in Airflow and verified", "future"),
        ("Ends", "future"),
    ]
    Group.objects.get(name="data-leads").user_set.remove(cast["lead2"])
    assert line(request)[1] == ("lead decides", "now")


def test_the_line_of_a_grant_that_waits_for_an_airflow_that_is_away(cast):
    grant = factories.grant_at_status("applying")
    factories.observe(status="down")
    request = requests.request_for(cast["admin"], grant.request_id)
    now = next(step for step in timeline(request) if step.state == "now")
    assert now.title == "Being given in Airflow on demo"
    assert "unreachable" in now.note


def test_the_line_from_asked_to_gone(cast):
    grant = factories.grant_at_status("applying")
    operation = Operation.objects.get()
    with recording() as trail:
        outcomes.confirm_active(grant, account=Account(grant.beneficiary.username), operation=operation, trail=trail)
    assert line(grant.request)[-2:] == [("Verified in Airflow on demo", "done"), ("Ends", "future")]
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    assert line(grant.request)[-1] == ("Being taken away in Airflow", "now")
    grant.refresh_from_db()
    with recording() as trail:
        outcomes.confirm_gone(grant, kept_for=[], operation=operation, trail=trail)
    assert line(grant.request)[-1] == ("Handed back; Airflow confirmed that it is gone", "done")


@pytest.mark.parametrize(("status", "title"), [("denied", "Denied"), ("withdrawn", "Withdrawn"), ("lapsed", "Lapsed")])
def test_the_line_of_what_came_to_nothing_ends_there(cast, status, title):
    assert line(factories.request_at_status(status))[-1] == (title, "bad")
