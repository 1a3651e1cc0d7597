"""The page of one request: the sentence, the line of its life, and what each reader can do about it."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone

from portal.access import grants
from portal.access.models import AccessRequest, Grant
from portal.airflow.models import DeploymentState
from portal.approvals import actions
from portal.approvals import queries as requests
from portal.approvals.timeline import timeline
from portal.audit.models import AuditEvent
from portal.audit.verify import verify
from tests.factories import grant_at_status, observe, person, request_at_status, work_off
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")

HTMX = {"HX-Request": "true"}


def polled(response) -> str:
    """The address the page asks again, empty when it does not."""
    match = re.search(r'id="progress"[^>]*hx-get="([^"]+)"', response.content.decode())
    return match[1] if match else ""


def test_the_sentence_and_where_it_stands(client_as):
    made = request_at_status("pending")
    page = Page(client_as("employee").get(f"/requests/{made.ref}"))
    assert "employee asks for “Work with DAGs” on demo for 8 hours" in page.text
    assert "lead or lead2 decides. If nobody decides, it lapses" in page.text
    assert "month-end close" in page.text


@pytest.mark.parametrize("name", ["", "12", "REQ-", "REQ-x", "GR-1", "REQ-999"])
def test_what_is_not_there_is_a_404(client_as, name):
    assert client_as("employee").get(f"/requests/{name or 'REQ-0'}").status_code == 404


@pytest.mark.parametrize(
    ("who", "status"), [("employee", 200), ("lead", 200), ("auditor", 200), ("colleague", 404), ("stranger", 404)]
)
def test_who_may_see_it(client_as, who, status):
    made = request_at_status("pending")
    assert client_as(who).get(f"/requests/{made.ref}").status_code == status


def test_each_reader_is_offered_what_is_theirs(client_as):
    made = request_at_status("pending")
    withdraw, decide = f"/requests/{made.ref}/withdraw", f"/queue/{made.ref}"
    page = Page(client_as("employee").get(f"/requests/{made.ref}"))
    assert withdraw in page.actions
    assert decide not in page.links
    page = Page(client_as("lead").get(f"/requests/{made.ref}"))
    assert withdraw not in page.actions
    assert decide in page.links


# --- following it ----------------------------------------------------------------------------------------------------
def test_a_poll_answers_nothing_until_there_is_something_new(client_as):
    made, client = request_at_status("pending"), client_as("employee")
    address = polled(client.get(f"/requests/{made.ref}"))
    assert client.get(address, headers=HTMX).status_code == 204
    actions.deny(request_id=made.pk, by=person("lead"), comment="ask for Look around")
    response = client.get(address, headers=HTMX)
    assert response.status_code == 200
    assert b"<html" not in response.content
    assert "ask for Look around" in Page(response).text
    assert 'id="act" hx-swap-oob="true"' in response.content.decode()
    assert "Withdraw request" not in Page(response).text


def test_a_poll_brings_the_grant_and_what_was_done_for_it(client_as):
    made, client = request_at_status("pending"), client_as("employee")
    address = polled(client.get(f"/requests/{made.ref}"))
    actions.approve(request_id=made.pk, by=person("lead"))
    work_off()
    response = client.get(address, headers=HTMX)
    assert "GR-" in Page(response).text
    assert "Give a role" in Page(response).text
    for part in ("act", "facts", "operations"):
        assert f'id="{part}" hx-swap-oob="true"' in response.content.decode()


def test_no_input_stands_in_what_is_polled(client_as):
    for status in ("applying", "active"):
        grant = grant_at_status(status, entitlement="demo/role/User" if status == "active" else "demo/role/Viewer")
        response = client_as("employee").get(f"/requests/{grant.request.ref}")
        assert polled(response)
        assert Page(response).inputs_inside("progress") == []


@pytest.mark.parametrize("status", ["denied", "withdrawn", "lapsed"])
def test_what_is_settled_is_not_asked_again(client_as, status):
    made = request_at_status(status)
    assert polled(client_as("employee").get(f"/requests/{made.ref}")) == ""


def test_an_ended_grant_is_not_asked_again(client_as):
    grant = grant_at_status("ended")
    response = client_as("employee").get(f"/requests/{grant.request.ref}")
    assert polled(response) == ""
    assert "Handed back; Airflow confirmed that it is gone" in Page(response).text


def test_an_active_grant_says_until_when(client_as):
    grant = grant_at_status("active")
    own = Page(client_as("employee").get(f"/requests/{grant.request.ref}"))
    assert "You hold it until" in own.text
    assert re.search(r"(7 hours 5\d minutes|8 hours) left", own.text)
    assert "employee holds it until" in Page(client_as("lead").get(f"/requests/{grant.request.ref}")).text


def test_an_unreachable_deployment_is_said_with_what_it_means(client_as):
    made = request_at_status("approved")
    observe(status=DeploymentState.Status.DOWN, status_since=timezone.now() - timedelta(minutes=5))
    page = Page(client_as("employee").get(f"/requests/{made.ref}"))
    assert "Airflow on demo is unreachable since" in page.text
    assert "Gatehouse continues when Airflow answers." in page.text


# --- doing something -------------------------------------------------------------------------------------------------
def test_withdrawing(client_as):
    made = request_at_status("pending")
    response = client_as("employee").post(f"/requests/{made.ref}/withdraw", follow=True)
    assert AccessRequest.objects.get().status == "withdrawn"
    assert f"You withdrew {made.ref}." in Page(response).text


def test_a_withdrawal_names_who_withdrew(client_as):
    made = request_at_status("pending", by="lead", beneficiary="employee")
    client_as("employee").post(f"/requests/{made.ref}/withdraw")
    withdrawn = requests.request_for(person("employee"), made.pk)
    assert [step.by.username for step in timeline(withdrawn) if step.title == "Withdrawn"] == ["employee"]
    response = client_as("lead").post(f"/requests/{made.ref}/withdraw")
    assert (response.status_code, f"employee withdrew {made.ref}" in Page(response).text) == (409, True)
    assert verify().problems == []
    AccessRequest.objects.update(withdrawn_by=person("lead"))
    assert "its withdrawn_by is lead" in verify().problems[0]


def test_a_withdrawal_by_somebody_unknown_names_nobody(client_as):
    made = request_at_status("withdrawn")
    AccessRequest.objects.update(withdrawn_by=None)
    response = client_as("employee").post(f"/requests/{made.ref}/withdraw")
    assert f"{made.ref} was withdrawn" in Page(response).text


def test_withdrawing_what_was_decided_says_who_was_first(client_as):
    made = request_at_status("approved")
    response = client_as("employee").post(f"/requests/{made.ref}/withdraw", headers={"Referer": "http://testserver/x"})
    assert response.status_code == 409
    page = Page(response)
    assert f"lead approved {made.ref}" in page.text
    assert "http://testserver/x" in page.links


@pytest.mark.parametrize("came_from", ["https://elsewhere.example.com/x", "javascript:alert(1)", "//elsewhere.example"])
def test_the_way_back_never_leads_elsewhere(client_as, came_from):
    made = request_at_status("approved")
    response = client_as("employee").post(f"/requests/{made.ref}/withdraw", headers={"Referer": came_from})
    assert came_from not in Page(response).links


def test_only_their_own_can_be_withdrawn(client_as):
    made = request_at_status("pending")
    response = client_as("lead").post(f"/requests/{made.ref}/withdraw")
    assert response.status_code == 403
    assert AccessRequest.objects.get().status == "pending"
    assert AuditEvent.objects.filter(verb="request.withdraw_refused", actor="lead").exists()


def test_get_changes_nothing(client_as):
    made = request_at_status("pending")
    assert client_as("employee").get(f"/requests/{made.ref}/withdraw")["Location"] == f"/requests/{made.ref}"
    made.refresh_from_db()
    assert made.status == "pending"


def test_handing_back(client_as):
    grant = grant_at_status("active")
    response = client_as("employee").post(f"/grants/{grant.ref}/hand-back", follow=True)
    assert "You handed back “Work with DAGs” on demo." in Page(response).text
    work_off()
    assert Grant.objects.get().end_reason == "handed_back"


def test_revoking_takes_a_reason(client_as):
    grant, client = grant_at_status("active"), client_as("lead")
    response = client.post(f"/grants/{grant.ref}/revoke", {"reason": " "})
    assert response.status_code == 422
    page = Page(response)
    assert page.text.count("Say why you revoke it. The holder reads this.") == 2
    assert f"#reason-{grant.ref}" in page.links
    assert Grant.objects.get().status == "active"
    response = client.post(f"/grants/{grant.ref}/revoke", {"reason": "left the project"}, follow=True)
    assert "You revoked employee's “Work with DAGs” access on demo." in Page(response).text
    assert Grant.objects.get().end_comment == "left the project"


def test_nobody_revokes_their_own_or_what_is_not_theirs_to_revoke(client_as):
    grant = grant_at_status("active")
    assert client_as("employee").post(f"/grants/{grant.ref}/revoke", {"reason": "x"}).status_code == 403
    assert client_as("auditor").post(f"/grants/{grant.ref}/revoke", {"reason": "x"}).status_code == 403
    assert client_as("colleague").post(f"/grants/{grant.ref}/revoke", {"reason": "x"}).status_code == 404
    assert Grant.objects.get().status == "active"


def test_trying_again_is_the_admins(client_as, airflow):
    request = request_at_status("approved")
    grant = request.grant
    grants.GRANT.move(grant, to=Grant.Status.FAILED, failure="Airflow has no role User.")
    page = Page(client_as("admin").get(f"/requests/{request.ref}"))
    assert "Airflow has no role User." in page.text
    assert f"/grants/{grant.ref}/retry" in page.actions
    assert f"/grants/{grant.ref}/retry" not in Page(client_as("lead").get(f"/requests/{request.ref}")).actions
    assert client_as("lead").post(f"/grants/{grant.ref}/retry").status_code == 403
    client_as("admin").post(f"/grants/{grant.ref}/retry")
    work_off()
    assert Grant.objects.get().status == "active"


# --- returned for changes, and comments ------------------------------------------------------------------------------
def test_a_returned_request_is_changed_and_sent_again(client_as):
    back = request_at_status("returned", entitlement="demo/role/Op")
    client = client_as("employee")
    page = Page(client.get(f"/requests/{back.ref}"))
    assert "It was returned for changes. You can change it and send it again." in page.text
    assert "shorter, please" in page.text
    assert page.all("input", id="again_duration")[0]["value"] == "8 hours"
    assert page.all("input", id="again_ticket")[0]["value"] == "OPS-7"
    sent = {"duration": "2 hours", "reason": "the monthly report", "ticket": "OPS-8", "round": "1"}
    assert "returned for changes" in Page(client.get("/")).text
    response = client.post(f"/requests/{back.ref}/resubmit", sent, follow=True)
    assert f"{back.ref} was sent again." in Page(response).text
    again = AccessRequest.objects.get()
    assert (again.status, again.round, again.duration, again.ticket) == ("pending", 2, timedelta(hours=2), "OPS-8")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"duration": ""}, "Enter a duration, for example 8 hours."),
        ({"duration": "soon"}, "soon"),
        ({"duration": "9 hours"}, "Enter at most 8 hours, not 9 hours."),
        ({"reason": ""}, "Say why you need it. The audit trail keeps it."),
        ({"ticket": "x"}, "is not a valid ticket"),
    ],
)
def test_wrong_terms_come_back_as_they_were_typed(client_as, typed, words):
    back = request_at_status("returned", entitlement="demo/role/Op")
    sent = {"duration": "2 hours", "reason": "the monthly report", "ticket": "OPS-8", **typed}
    response = client_as("employee").post(f"/requests/{back.ref}/resubmit", sent)
    page = Page(response)
    assert (response.status_code, AccessRequest.objects.get().status) == (422, "returned")
    assert words in page.text
    assert page.all("input", id="again_duration")[0].get("value", "") == sent["duration"]


def test_a_refusal_keeps_what_was_typed(client_as):
    back = request_at_status("returned", entitlement="demo/role/Op")
    Group.objects.get(name="security").user_set.clear()
    sent = {"duration": "2 hours", "reason": "a long reason", "ticket": "OPS-8", "round": "1"}
    response = client_as("employee").post(f"/requests/{back.ref}/resubmit", sent)
    assert response.status_code == 403
    assert "Too few people can decide this" in Page(response).text and "a long reason" in Page(response).text


def test_the_same_form_sent_twice_is_one_round(client_as):
    back, client = request_at_status("returned", entitlement="demo/role/Op"), client_as("employee")
    sent = {"duration": "2 hours", "reason": "a long reason", "ticket": "OPS-8", "round": "1"}
    client.post(f"/requests/{back.ref}/resubmit", sent)
    again = client.post(f"/requests/{back.ref}/resubmit", sent, follow=True)
    assert (again.status_code, f"{back.ref} was sent again before. This form changed nothing." in Page(again).text) == (
        200,
        True,
    )
    assert AccessRequest.objects.get().round == 2


@pytest.mark.parametrize(
    ("who", "status", "answer"), [("lead", "returned", 403), ("employee", "pending", 409), ("employee", "denied", 409)]
)
def test_a_form_with_errors_is_for_nobody_else_and_for_no_other_status(client_as, who, status, answer):
    made = request_at_status(status)
    response = client_as(who).post(f"/requests/{made.ref}/resubmit", {"duration": ""})
    assert response.status_code == answer
    assert "Change it and send it again" not in Page(response).text
    assert AuditEvent.objects.latest("seq").verb == "request.resubmit_refused"


def test_a_page_that_follows_a_request_leads_to_the_form_when_it_is_returned(client_as):
    made, client = request_at_status("pending"), client_as("employee")
    assert "was=pending" in polled(client.get(f"/requests/{made.ref}"))
    actions.return_for_changes(request_id=made.pk, by=person("lead"), comment="Shorter.")
    link = f"/requests/{made.ref}?again#again"
    assert link in Page(client.get(f"/requests/{made.ref}?seen=x&was=pending", headers=HTMX)).links
    assert link not in Page(client.get(f"/requests/{made.ref}?seen=x&was=returned", headers=HTMX)).links
    assert link not in Page(client.get(f"/requests/{made.ref}")).links


def test_home_tells_the_requester_first_what_was_returned(client_as):
    request_at_status("returned")
    for key in ("demo/role/Op", "demo/role/Viewer", "demo/dag/sales_report/view", "demo/dag/sales_report/operate"):
        request_at_status("approved" if "Viewer" in key else "pending", entitlement=key)
    page = Page(client_as("employee").get("/"))
    assert page.text.index("You can change it") < page.text.index("lead or lead2 decides")


def test_others_have_no_form_to_send_it_again(client_as):
    back = request_at_status("returned")
    for who in ("lead", "auditor", "admin"):
        page = Page(client_as(who).get(f"/requests/{back.ref}"))
        assert "employee can change it and send it again." in page.text
        assert f"/requests/{back.ref}/resubmit" not in page.actions


def test_a_comment_is_written_and_read(client_as):
    made = request_at_status("pending")
    client = client_as("employee")
    assert "No comments yet." in Page(client.get(f"/requests/{made.ref}")).text
    refused = client.post(f"/requests/{made.ref}/comments", {"text": " "})
    assert (refused.status_code, "Write a comment." in Page(refused).text) == (422, True)
    page = Page(client.post(f"/requests/{made.ref}/comments", {"text": "For the <b>close</b>."}, follow=True))
    assert f"Your comment on {made.ref} is stored." in page.text
    assert "For the <b>close</b>." in page.text
    assert not page.all("input", name="audience")


def test_a_comment_for_the_approvers_is_not_on_the_page_of_who_asked(client_as):
    made = request_at_status("pending")
    lead = client_as("lead")
    assert page_has_choice(lead.get(f"/requests/{made.ref}"))
    lead.post(f"/requests/{made.ref}/comments", {"text": "Do you know them?", "audience": "approvers"})
    assert "Do you know them?" in Page(client_as("lead2").get(f"/requests/{made.ref}")).text
    assert "Do you know them?" not in Page(client_as("employee").get(f"/requests/{made.ref}")).text
    assert client_as("auditor").get(f"/requests/{made.ref}").status_code == 200


def page_has_choice(response) -> bool:
    return {given["value"] for given in Page(response).all("input", name="audience")} == {"all", "approvers"}


def test_a_requester_does_not_write_to_the_approvers_alone(client_as):
    made = request_at_status("pending")
    response = client_as("employee").post(f"/requests/{made.ref}/comments", {"text": "x", "audience": "approvers"})
    assert (response.status_code, made.comments.count()) == (403, 0)


def test_who_only_oversees_has_no_form_for_comments(client_as):
    made = request_at_status("pending")
    assert f"/requests/{made.ref}/comments" not in Page(client_as("auditor").get(f"/requests/{made.ref}")).actions
    assert client_as("auditor").post(f"/requests/{made.ref}/comments", {"text": "x"}).status_code == 403
