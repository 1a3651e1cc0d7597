"""The queue: what waits for whom, everything a decision needs, and the decision itself, with and without JavaScript."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from portal.access.models import AccessRequest, Grant
from portal.approvals import actions
from portal.approvals.comments import comment
from portal.approvals.models import Decision
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from tests.factories import CATALOGUE, grant_at_status, offer, person, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("airflow")
HTMX = {"HX-Request": "true"}
PANE = {**HTMX, "HX-Target": "pane"}


def asked(ago: timedelta = timedelta(), **kwargs) -> AccessRequest:
    with time_machine.travel(timezone.now() - ago, tick=True):
        return request_at_status("pending", **kwargs)


def rows(page: Page) -> list[str]:
    return [given["data-ref"] for given in page.all("a", **{"class": "pick"})]


# --- the list --------------------------------------------------------------------------------------------------------
def test_the_longest_waiting_stands_first_and_is_opened(client_as):
    newer = asked(timedelta(minutes=5))
    older = asked(timedelta(hours=2), by="colleague")
    page = Page(client_as("lead").get("/queue"))
    assert rows(page) == [older.ref, newer.ref]
    current = page.all("a", **{"aria-current": "true"})
    assert [given["data-ref"] for given in current if "data-ref" in given] == [older.ref]
    assert page.all("section", id="pane")[0]["data-ref"] == older.ref
    assert page.all("div", id="queue")[0]["data-showing"] == "list"
    assert f"/requests/{older.ref}/approve" in page.actions


def test_ones_own_requests_are_not_in_the_queue(client_as):
    asked(by="lead")
    other = asked()
    assert rows(Page(client_as("lead").get("/queue"))) == [other.ref]


def test_an_empty_queue_says_so_and_what_was_decided_last(client_as):
    made = request_at_status("denied")
    page = Page(client_as("lead").get("/queue"))
    assert "No requests to decide" in page.text
    assert f"{made.ref} You denied “Work with DAGs” on demo for employee" in page.text
    assert not any("/approve" in action for action in page.actions)


def test_only_approvers_have_a_queue(client_as):
    made = asked()
    for name in ("employee", "auditor", "admin", "stranger"):
        assert client_as(name).get("/queue").status_code == 403
        assert client_as(name).post(f"/requests/{made.ref}/approve").status_code == 403
    assert Decision.objects.count() == 0


def test_long_queues_are_paged_and_a_decision_keeps_the_page(client_as, monkeypatch):
    monkeypatch.setattr("portal.web.queue.views.PAGE", 2)
    same = timezone.now() - timedelta(hours=1)  # the same moment for all: the number decides
    made = []
    for who, what in (
        ("employee", "User"),
        ("colleague", "User"),
        ("lead2", "User"),
        ("employee", "Op"),
        ("colleague", "Op"),
    ):
        made.append(request_at_status("pending", by=who, entitlement=f"demo/role/{what}"))
    AccessRequest.objects.update(created_at=same)
    client = client_as("lead")
    first = client.get("/queue")
    assert rows(Page(first)) == [made[0].ref, made[1].ref]
    after = first.context["page"].next
    second = client.get("/queue", {"after": after})
    assert rows(Page(second)) == [made[2].ref, made[3].ref]
    address = next(action for action in Page(second).actions if f"{made[2].ref}/approve" in action)
    assert client.post(address)["Location"] == f"/queue/{made[3].ref}?after={after}"


@pytest.mark.parametrize("cursor", ["x", "1", "9" * 30 + ".1", "-1.2", "1.²", "99999999999999999999.1"])
def test_a_made_up_place_in_the_list_is_a_404(client_as, cursor):
    assert client_as("lead").get("/queue", {"after": cursor}).status_code == 404


def test_a_longer_list_costs_no_more_queries(client_as, django_assert_num_queries):
    client = client_as("lead")
    made = asked(by="colleague")
    with CaptureQueriesContext(connection) as one:
        client.get(f"/queue/{made.ref}")
    for who, what in (("employee", "User"), ("lead2", "User"), ("employee", "Op"), ("lead2", "Op")):
        asked(by=who, entitlement=f"demo/role/{what}")
    with django_assert_num_queries(len(one)):
        assert len(rows(Page(client.get(f"/queue/{made.ref}")))) == 5


def test_the_list_is_asked_again_by_itself_and_holds_no_field(client_as):
    asked()
    page = Page(client_as("lead").get("/queue"))
    assert page.all("section", id="queue-list")[0]["hx-trigger"] == "every 30s"
    assert page.inputs_inside("queue-list") == []
    part = client_as("lead").get("/queue", headers={**HTMX, "HX-Target": "queue-list"})
    assert b'id="queue-list"' in part.content
    assert b'id="pane"' not in part.content


# --- the pane --------------------------------------------------------------------------------------------------------
def test_everything_for_the_decision_is_there(client_as):
    grant_at_status("active", by="colleague")
    grant_at_status("active", by="employee", entitlement="demo/role/Viewer")
    before = request_at_status("denied", reason="first try")
    made = asked(timedelta(minutes=40), reason="two tasks hang", ticket="OPS-12", duration=timedelta(hours=8))
    text = Page(client_as("lead").get(f"/queue/{made.ref}")).text
    assert "employee asks for “Work with DAGs” on demo for 8 hours" in text
    assert "two tasks hang" in text
    assert "OPS-12" in text
    assert "employee holds now Look around on demo" in text
    assert "Others who hold it colleague" in text
    assert f"{before.ref} denied, 8 hours" in text
    assert "lead or lead2" in text
    assert "at most 30 days" in text
    assert "Approve for 8 hours" in text


LONG = "\n".join(f"{number}. the whole of what is asked for" for number in range(1, 50))


def test_a_long_reason_can_be_unfolded_and_is_whole_in_the_page(client_as):
    made = asked(reason=LONG)
    page = Page(client_as("lead").get(f"/queue/{made.ref}"))
    assert "1. the whole" in page.text and "49. the whole" in page.text
    assert page.all("details", **{"class": "more"})  # which works without JavaScript
    assert not Page(client_as("lead").get(f"/queue/{asked(by='colleague').ref}")).all("details", **{"class": "more"})


def test_nothing_a_decision_rests_on_is_left_out(client_as, lead, lead2):
    lead2.first_name, lead2.last_name = "Liam", "Novak"
    lead2.save(update_fields=["first_name", "last_name"])
    grant_at_status("active", by="lead2", entitlement="demo/role/Op")
    for number in range(7):
        with time_machine.travel(timezone.now() - timedelta(days=9 - number), tick=True):
            request_at_status("withdrawn", entitlement="demo/role/Op", ticket=f"OPS-{number}")
    made = asked(entitlement="demo/role/Op", ticket="OPS-" + "7" * 70)
    comment = "word " * 60 + "the end of the comment"
    actions.approve(request_id=made.pk, by=lead, comment=comment)
    page = Page(client_as("security").get(f"/queue/{made.ref}"))
    assert "the end of the comment" in page.text
    assert "OPS-" + "7" * 70 in page.text
    assert "Others who hold it lead2 (Liam Novak)" in page.text
    assert "2 more" in page.text  # of the seven times it was asked for before; they unfold
    assert page.text.count("withdrawn, 8 hours") == 7


def test_names_and_groups_stand_beside_user_names(client_as, employee):
    employee.first_name, employee.last_name = "Emma", "Reyes"
    employee.save(update_fields=["first_name", "last_name"])
    made = asked(beneficiary="colleague")
    text = Page(client_as("lead").get(f"/queue/{made.ref}")).text
    assert "employee is Emma Reyes (group data)" in text
    assert "colleague (groups data, sales)" in text
    assert "lead2" in text


def test_the_ticket_is_a_link_where_the_policy_says_where_it_is_read(client_as, tmp_path, airflow):
    written = 'ticket = "^OPS-[0-9]+$"'
    source = CATALOGUE.read_text().replace(written, f'{written}\nticket_url = "https://t.example.com/{{ticket}}"')
    before = asked(by="colleague", entitlement="demo/role/Op")
    offer(tmp_path, url=airflow.url, source=source)
    made = asked(entitlement="demo/role/Op", ticket="OPS-7")
    for address in (f"/queue/{made.ref}", f"/requests/{made.ref}"):
        assert "https://t.example.com/OPS-7" in Page(client_as("lead").get(address)).links
    assert "https://t.example.com/OPS-7" not in Page(client_as("lead").get(f"/queue/{before.ref}")).links


def test_htmx_loads_the_pane_alone(client_as):
    made = asked()
    response = client_as("lead").get(f"/queue/{made.ref}", headers=PANE)
    assert response.content.decode().strip().startswith(f"<title>{made.ref}")
    assert b'id="pane"' in response.content
    assert b"queue-list" not in response.content.replace(b'hx-target="#queue"', b"")
    assert "HX-Request" in response["Vary"]


def test_a_request_of_ones_own_is_shown_but_not_decidable(client_as):
    made = asked(by="lead")
    page = Page(client_as("lead").get(f"/queue/{made.ref}"))
    assert "You cannot decide this. This is your own request. Someone else must decide it." in page.text
    assert not any(made.ref in action for action in page.actions)


def test_a_step_that_is_not_ones_own_yet_says_who_decides(client_as):
    made = asked(entitlement="demo/role/Op")
    page = Page(client_as("security").get(f"/queue/{made.ref}"))
    assert "You cannot decide this. You are not an approver of this step" in page.text
    assert "Step 1: lead or lead2" in page.text
    assert "Step 2: security after that" in page.text
    assert page.actions == set()


@pytest.mark.parametrize(
    ("status", "words"), [("approved", "was approved"), ("denied", "was denied"), ("withdrawn", "was withdrawn")]
)
def test_a_settled_request_says_how_it_was_settled(client_as, status, words):
    made = request_at_status(status)
    page = Page(client_as("lead").get(f"/queue/{made.ref}"))
    assert f"{made.ref} {words} just now" in page.text
    assert not any(made.ref in action for action in page.actions)


def test_what_one_may_not_see_is_not_there(client_as):
    made = asked()  # security has no part in it
    for address in (f"/queue/{made.ref}", "/queue/REQ-999", "/queue/GR-1", "/queue/REQ-x"):
        assert client_as("security").get(address).status_code == 404
    assert client_as("security").post(f"/requests/{made.ref}/deny", {"comment": "no"}).status_code == 404


def test_holding_it_already_is_pointed_out(client_as):
    grant_at_status("active")
    made = asked()
    assert "Has this access already" in Page(client_as("lead").get(f"/queue/{made.ref}")).text


# --- deciding --------------------------------------------------------------------------------------------------------
def test_a_conflict_with_what_is_held_is_said_before_it_is_approved(client_as, tmp_path, airflow):
    grant_at_status("active", entitlement="demo/role/Viewer")
    made, other = asked(), asked(by="colleague")
    against = CATALOGUE.read_text().replace(
        "[policies.at-once]", '[policies.at-once]\nconflicts_with = ["demo/role/User"]'
    )
    offer(tmp_path, url=airflow.url, source=against)  # the rule came after both were asked for
    client = client_as("lead")
    said = "employee has demo/role/Viewer, which must not be combined with demo/role/User."
    text = Page(client.get(f"/queue/{made.ref}")).text
    assert f"{said} The request cannot be approved until that access ends." in text
    assert "must not be combined" not in Page(client.get(f"/queue/{other.ref}")).text
    assert said in Page(client.post(f"/requests/{made.ref}/approve")).text
    client.post(f"/requests/{made.ref}/deny", {"comment": "you can look around already"})
    assert "must not be combined" not in Page(client.get(f"/queue/{made.ref}")).text


def test_approving_goes_on_to_the_next(client_as):
    first, second = asked(timedelta(hours=2)), asked(timedelta(hours=1), by="colleague")
    client = client_as("lead")
    response = client.post(f"/requests/{first.ref}/approve", follow=True)
    assert response.redirect_chain == [(f"/queue/{second.ref}", 302)]
    assert f"You approved {first.ref} for 8 hours. Gatehouse is giving employee “Work with DAGs”" in Page(response).text
    first.refresh_from_db()
    assert first.status == "approved"
    assert Decision.objects.get().duration is None


def test_after_the_last_one_the_queue_is_empty(client_as):
    made = asked()
    response = client_as("lead").post(f"/requests/{made.ref}/approve", follow=True)
    assert response.redirect_chain == [("/queue", 302)]
    assert "No requests to decide" in Page(response).text


def test_with_htmx_the_list_the_next_one_the_count_and_the_message_come_at_once(client_as):
    first, second = asked(timedelta(hours=2)), asked(timedelta(hours=1), by="colleague")
    response = client_as("lead").post(f"/requests/{first.ref}/approve", headers=HTMX)
    page = Page(response)
    assert response["HX-Push-Url"] == f"/queue/{second.ref}"
    assert b"<html" not in response.content
    assert rows(page) == [second.ref]
    assert page.all("a", id=f"row-{second.ref}")[0].keys() >= {"data-focus", "aria-current"}
    assert page.all("section", id="pane")[0]["data-ref"] == second.ref
    assert page.all("span", **{"data-count": "queue"})[0]["hx-swap-oob"] == "outerHTML:[data-count='queue']"
    assert f"You approved {first.ref} for 8 hours" in page.text
    assert page.all("div", id="messages")[0]["hx-swap-oob"] == "true"


def test_approving_for_less(client_as):
    made = asked()
    response = client_as("lead").post(
        f"/requests/{made.ref}/approve", {"duration": "1h 30m", "comment": "until lunch"}, follow=True
    )
    assert "for 1 hour 30 minutes, instead of the requested 8 hours" in Page(response).text
    assert Grant.objects.get(request=made).duration == timedelta(minutes=90)
    assert Decision.objects.get().comment == "until lunch"


@pytest.mark.parametrize(
    "sent", [{"duration": "1 hour"}, {"less": "PT1H"}, {"less": "PT30M", "duration": "60 minutes"}]
)
def test_less_is_chosen_or_typed_as_the_portal_writes_it(client_as, sent):
    made = asked()
    client_as("lead").post(f"/requests/{made.ref}/approve", sent)
    assert Grant.objects.get(request=made).duration == timedelta(hours=1)


@pytest.mark.parametrize("sent", [{"duration": ""}, {"duration": "  ", "less": ""}])
def test_less_without_a_time_is_not_the_full_time(client_as, sent):
    made = asked()
    response = client_as("lead").post(f"/requests/{made.ref}/approve", {**sent, "comment": "fine by me"})
    assert response.status_code == 422
    assert "Enter a duration, for example 30 minutes" in Page(response).text
    assert not Decision.objects.exists()


def test_where_no_chip_is_shorter_there_is_no_empty_choice(client_as):
    made = asked(duration=timedelta(minutes=20))
    client = client_as("lead")
    page = Page(client.get(f"/queue/{made.ref}"))
    assert "For how long? For example 30 minutes or 1 hour 30 minutes; at most 20 minutes." in page.text
    assert "the choice above" not in page.text and not page.all("fieldset")
    client.post(f"/requests/{made.ref}/approve", {"duration": "10 minutes"})
    assert Grant.objects.get(request=made).duration == timedelta(minutes=10)


def test_the_chips_offer_less_than_was_asked_for(client_as):
    made = asked(duration=timedelta(hours=2))
    page = Page(client_as("lead").get(f"/queue/{made.ref}"))
    assert [given["value"] for given in page.all("input", name="less")] == ["PT30M", "PT1H"]
    assert [given["value"] for given in page.all("input", name="less") if "checked" in given] == ["PT1H"]


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("9h", "Enter at most 8 hours, not 9 hours."),
        ("soon", "is not a duration"),
        ("5s", "Enter at least"),
    ],
)
def test_a_wrong_duration_comes_back_as_it_was_typed(client_as, typed, words):
    made = asked()
    response = client_as("lead").post(f"/requests/{made.ref}/approve", {"duration": typed, "comment": "fine by me"})
    page = Page(response)
    assert response.status_code == 422
    assert words in page.text
    field = page.all("input", name="duration")[0]
    assert field["value"] == typed
    assert field["aria-invalid"] == "true"
    assert "data-focus" in field
    assert "fine by me" in page.text
    assert Decision.objects.count() == 0


def test_denying_needs_a_reason(client_as):
    made = asked()
    client = client_as("lead")
    response = client.post(f"/requests/{made.ref}/deny", {"comment": "  "}, headers=HTMX)
    assert response.status_code == 422
    assert response["HX-Retarget"] == "#queue"
    assert "Say why you deny it. The requester reads this." in Page(response).text
    response = client.post(f"/requests/{made.ref}/deny", {"comment": "ask for Look around"}, follow=True)
    assert f"You denied {made.ref}. employee can read your reason" in Page(response).text
    made.refresh_from_db()
    assert made.status == "denied"


def test_the_first_of_two_steps_says_who_is_next(client_as):
    made = asked(entitlement="demo/role/Op")
    response = client_as("lead").post(f"/requests/{made.ref}/approve", follow=True)
    assert f"Your approval of {made.ref} is recorded. Next, security decides." in Page(response).text
    assert rows(Page(client_as("security").get("/queue"))) == [made.ref]


@pytest.mark.parametrize("headers", [{}, HTMX])
def test_the_second_of_two_approvers_is_told_who_was_first(client_as, headers):
    made, other = asked(timedelta(hours=2)), asked(timedelta(hours=1), by="colleague")
    lead = client_as("lead")
    with time_machine.travel(timezone.now(), tick=False) as clock:
        actions.approve(request_id=made.pk, by=person("lead2"))
        clock.shift(timedelta(seconds=12))
        response = lead.post(f"/requests/{made.ref}/approve", headers=headers)
    page = Page(response)
    assert response.status_code == 409
    assert f"lead2 approved {made.ref} 12 seconds ago" in page.text
    assert rows(page) == [other.ref]
    assert page.all("section", id="pane")[0]["data-ref"] == made.ref
    assert Decision.objects.count() == 1
    assert (b"<html" in response.content) is (not headers)


def test_a_withdrawn_request_cannot_be_approved_any_more(client_as):
    made = request_at_status("withdrawn")
    response = client_as("lead").post(f"/requests/{made.ref}/approve")
    assert response.status_code == 409
    assert f"employee withdrew {made.ref}" in Page(response).text


def test_ones_own_request_is_refused_in_words(client_as):
    made = asked(by="lead")
    response = client_as("lead").post(f"/requests/{made.ref}/approve", headers=HTMX)
    assert response.status_code == 403
    assert response["HX-Retarget"] == "#queue"
    assert "This is your own request" in Page(response).text
    assert Decision.objects.count() == 0


def test_decisions_are_never_made_by_following_a_link(client_as):
    made = asked()
    for name in ("request_approve", "request_deny"):
        assert client_as("lead").get(reverse(name, args=[made.ref]))["Location"] == f"/queue/{made.ref}"
    assert not Decision.objects.exists()


def test_of_high_risk_the_key_asks_once_more(client_as):
    risky, other = asked(entitlement="demo/role/Op"), asked()
    page = Page(client_as("lead").get(f"/queue/{risky.ref}"))
    assert [given["data-key"] for _, given, _ in page.tags if "data-key" in given] == ["d"]
    assert page.all("dialog", id="sure")
    assert "Yes, approve for 8 hours" in page.text
    assert not Page(client_as("lead").get(f"/queue/{other.ref}")).all("dialog")


# --- keys ------------------------------------------------------------------------------------------------------------
def test_the_keys_are_shown_and_can_be_switched_off(client_as, lead):
    asked()
    page = Page(client_as("lead").get("/queue"))
    assert [given["data-key"] for _, given, _ in page.tags if "data-key" in given] == ["a", "d"]
    assert page.all("body")[0]["data-shortcuts"] == "on"
    assert "approve as requested" in page.text
    lead.shortcuts = False
    lead.save(update_fields=["shortcuts"])
    page = Page(client_as("lead").get("/queue"))
    assert page.all("body")[0]["data-shortcuts"] == "off"
    assert "approve as requested" not in page.text


def test_an_empty_queue_hides_neither_half_on_a_phone(client_as):
    assert Page(client_as("lead").get("/queue")).all("div", id="queue")[0]["data-showing"] == "both"
    made = asked()
    assert Page(client_as("lead").get("/queue")).all("div", id="queue")[0]["data-showing"] == "list"
    assert Page(client_as("lead").get(f"/queue/{made.ref}")).all("div", id="queue")[0]["data-showing"] == "detail"


# --- returning for changes -------------------------------------------------------------------------------------------
def test_returning_takes_words_and_goes_on_to_the_next(client_as):
    first, second = asked(timedelta(hours=1)), asked(by="colleague")
    client = client_as("lead")
    page = Page(client.post(f"/requests/{first.ref}/return", {"comment": " ", "round": "1"}))
    assert "Say what should be changed. The requester reads this." in page.text
    response = client.post(f"/requests/{first.ref}/return", {"comment": "Only one day.", "round": "1"}, follow=True)
    assert response.redirect_chain == [(f"/queue/{second.ref}", 302)]
    page = Page(response)
    assert f"You returned {first.ref}. employee can change it and send it again." in page.text
    assert rows(page) == [second.ref]


@pytest.mark.parametrize("what", ["return", "deny"])
def test_a_form_with_errors_of_somebody_who_may_not_decide_is_refused_and_recorded(client_as, what):
    two_steps = asked(entitlement="demo/role/Op")
    response = client_as("security").post(f"/requests/{two_steps.ref}/{what}", {"comment": " "})
    assert response.status_code == 403
    event = AuditEvent.objects.latest("seq")
    assert (event.verb, event.actor) == (f"request.{what}_refused", "security")


@pytest.mark.parametrize("seen", ["", "999999", "x", "-1"])
def test_a_page_that_does_not_say_its_round_decides_nothing_in_the_second(client_as, seen):
    back = request_at_status("returned")
    resubmit(request_id=back.pk, by=person("employee"), duration=timedelta(hours=7))
    response = client_as("lead2").post(f"/requests/{back.ref}/approve", {"round": seen} if seen else {})
    assert (response.status_code, AccessRequest.objects.get().status) == (409, "pending")


def test_a_returned_request_says_so_to_its_approvers(client_as):
    back = request_at_status("returned")
    page = Page(client_as("lead2").get(f"/queue/{back.ref}"))
    assert f"{back.ref} was returned to employee for changes." in page.text
    assert f"/requests/{back.ref}/approve" not in page.actions


def test_what_was_changed_is_told_before_it_is_decided_anew(client_as):
    back = request_at_status("returned", entitlement="demo/role/Op")
    resubmit(request_id=back.pk, by=person("employee"), duration=timedelta(hours=2))
    comment(request_id=back.pk, by=person("employee"), text="Two hours are enough.")
    comment(request_id=back.pk, by=person("lead2"), text="Trust them.", audience="approvers")
    page = Page(client_as("lead").get(f"/queue/{back.ref}"))
    assert "lead returned the request" in page.text and "shorter, please" in page.text
    assert "Sent again: For 2 hours instead of 8 hours." in page.text
    assert "Two hours are enough." in page.text and "Trust them." in page.text
    assert page.text.count("lead or lead2") + page.text.count("lead (") <= 2, "the steps of the first round are over"


@pytest.mark.parametrize("what", ["approve", "deny", "return"])
def test_a_page_of_the_round_before_decides_nothing(client_as, what):
    back = request_at_status("returned")
    resubmit(request_id=back.pk, by=person("employee"), duration=timedelta(hours=7))
    response = client_as("lead2").post(f"/requests/{back.ref}/{what}", {"comment": "fine", "round": "1"})
    assert response.status_code == 409
    assert "was changed after you opened it. Read it again first. Nothing was changed." in Page(response).text
    assert AccessRequest.objects.get().status == "pending"
