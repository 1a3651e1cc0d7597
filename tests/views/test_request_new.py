"""Asking for access: the search, the form, and what is said before anything is sent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.access import grants
from portal.access.models import AccessRequest, Grant
from portal.catalogue.models import Entitlement
from tests.factories import CATALOGUE, grant_at_status, offer, person, request_at_status
from tests.views.pages import Page

NEW = "/requests/new"

pytestmark = pytest.mark.usefixtures("catalogue")

USER, OP, ADMIN, VIEWER = "demo/role/User", "demo/role/Op", "demo/role/Admin", "demo/role/Viewer"
HTMX = {"HX-Request": "true"}


def asked(entitlement: str = USER, **more: str) -> dict[str, str]:
    return {"entitlement": entitlement, "duration": "PT8H", "reason": "month-end close", **more}


# --- the search ------------------------------------------------------------------------------------------------------
def test_the_search_shows_all_that_is_offered_and_who_decides(client_as):
    page = Page(client_as("employee").get("/requests/new"))
    for title in Entitlement.objects.values_list("title", flat=True):
        assert title in page.text
    assert "lead or lead2 decides" in page.text
    assert "given at once" in page.text


def test_what_one_may_not_ask_for_stands_there_with_the_reason_and_no_way_in(client_as):
    page = Page(client_as("employee").get("/requests/new"))
    assert "It is offered to group data-leads" in page.text
    assert "?entitlement=demo%2Frole%2FUser" in page.links
    assert "?entitlement=demo%2Frole%2FAdmin" not in page.links


def test_the_search_narrows_as_a_page_and_as_a_part(client_as):
    client = client_as("employee")
    complete = client.get("/requests/new", {"q": "sales"})
    part = client.get("/requests/new", {"q": "sales"}, headers=HTMX)
    for response in (complete, part):
        assert "sales report" in Page(response).text
        assert "Work with DAGs" not in Page(response).text
        assert "HX-Request" in response["Vary"]
    assert complete.content.startswith(b"<!doctype html>")
    assert part.content.strip().startswith(b'<div id="results">')
    assert part.content.decode().strip() in complete.content.decode()


def test_a_search_without_result_says_what_to_do(client_as):
    page = Page(client_as("employee").get("/requests/new", {"q": "<b>unknown"}))
    assert "No access matches “<b>unknown”" in page.text
    assert "/requests/new" in page.links


# --- the form --------------------------------------------------------------------------------------------------------
def test_the_form_says_the_policy_the_approvers_and_what_happens_next(client_as):
    page = Page(client_as("employee").get("/requests/new", {"entitlement": OP}))
    assert "Step 1: lead or lead2 Step 2: security" in page.text
    assert "Offered to group data." in page.text
    assert "For at most 8 hours." in page.text
    assert "if it is not decided within 3 days." in page.text
    assert "Use OPS- followed by digits, for example OPS-123." in page.text
    assert "checks that Airflow shows it" in page.text
    assert page.all("input", name="ticket")


def test_who_would_decide_their_own_is_not_named(client_as):
    page = Page(client_as("lead").get("/requests/new", {"entitlement": USER}))
    assert "Who decides lead2 What" in page.text


def test_chips_go_up_to_the_longest_allowed(client_as):
    page = Page(client_as("employee").get("/requests/new", {"entitlement": VIEWER}))
    values = [given["value"] for given in page.all("input", name="duration")]
    assert values[-2:] == ["PT8H", "other"]
    assert not page.all("input", name="ticket")
    assert not page.all("input", name="confirm")


def test_a_role_is_found_and_shown_by_its_name_in_airflow(client_as):
    page = Page(client_as("employee").get("/requests/new", {"q": "user"}))
    assert "Work with DAGs on demo" in page.text
    assert "Airflow role User" in page.text


def test_the_outlook_is_said_again_for_every_duration(client_as):
    client = client_as("employee")
    fields = {"entitlement": USER, "preview": "1", "duration": "other", "amount": "3", "unit": "days"}
    response = client.get("/requests/new", fields, headers=HTMX)
    page = Page(response)
    assert "If approved now, you will have “Work with DAGs” on demo until" in page.text
    assert "Send request for 3 days" in page.text
    assert b"<html" not in response.content
    page = Page(client.get("/requests/new", {**fields, "amount": "31"}, headers=HTMX))
    assert "Enter at most 30 days, not 31 days." in page.text
    page = Page(client.get("/requests/new", {**fields, "amount": ""}, headers=HTMX))
    assert "Choose for how long" in page.text
    page = Page(client.get("/requests/new", {**fields, "starts_at": "2020-01-01T10:00"}, headers=HTMX))
    assert "The start is in the past." in page.text


def test_an_unknown_entitlement_is_a_404(client_as):
    assert client_as("employee").get("/requests/new", {"entitlement": "demo/role/Nothing"}).status_code == 404


def test_what_is_held_already_is_said_before_one_asks(client_as, airflow):
    grant = grant_at_status("active")
    page = Page(client_as("employee").get("/requests/new", {"entitlement": USER}))
    assert "You already hold this access until" in page.text
    assert grant.ref in page.text
    assert "/requests/new" in page.actions


NOT_HELD = {
    "scheduled": ("You will have this access from", "Will have this access from", "starts later"),
    "applying": ("This access is being given to you", "Is being given this access", "being applied"),
    "ending": ("This access is being taken away from you", "This access is being taken away", "being taken away"),
    "failed": ("", "", "Nothing through Gatehouse"),
}


@pytest.mark.parametrize("status", NOT_HELD)
def test_what_is_not_held_is_not_called_so(client_as, airflow, status):
    if status == "failed":
        airflow.state.roles.pop("User")
    grant = grant_at_status(status)
    said, said_to_approver, listed = NOT_HELD[status]
    client = client_as("employee")
    page = Page(client.get("/requests/new", {"entitlement": USER}))
    assert "already hold" not in page.text and said in page.text
    assert (grant.ref in page.text) == (status != "failed")
    assert "already hold" not in Page(client.get("/requests/new")).text
    asked = request_at_status("pending")
    pane = Page(client_as("lead").get(f"/queue/{asked.ref}")).text
    assert "Has this access already" not in pane and said_to_approver in pane and listed in pane


def test_a_grant_that_is_held_is_told_before_one_that_is_not(client_as, airflow):
    grant_at_status("active", duration=timedelta(hours=2))
    grant_at_status("ending", duration=timedelta(hours=8))
    assert (
        "You already hold this access until"
        in Page(client_as("employee").get("/requests/new", {"entitlement": USER})).text
    )


def test_a_second_request_for_the_same_is_not_offered(client_as):
    made = request_at_status("pending")
    page = Page(client_as("employee").get("/requests/new", {"entitlement": USER}))
    assert f"You have already requested this: {made.ref}" in page.text
    assert f"/requests/{made.ref}" in page.links
    assert "/requests/new" not in page.actions


# --- sending ---------------------------------------------------------------------------------------------------------
def test_sending_makes_the_request_and_leads_to_its_page(client_as):
    client = client_as("employee")
    response = client.post("/requests/new", asked(), follow=True)
    made = AccessRequest.objects.get()
    assert response.redirect_chain == [(f"/requests/{made.ref}", 302)]
    assert (made.duration, made.reason, made.requester.username) == (timedelta(hours=8), "month-end close", "employee")
    assert f"{made.ref} was sent." in Page(response).text


def test_a_duration_of_ones_own(client_as):
    client_as("employee").post("/requests/new", asked(duration="other", amount="90", unit="minutes"))
    assert AccessRequest.objects.get().duration == timedelta(minutes=90)


def test_a_start_is_read_in_the_persons_own_zone(client_as, employee):
    employee.timezone = "Asia/Seoul"
    employee.save(update_fields=["timezone"])
    start = (timezone.now() + timedelta(days=2)).replace(hour=3, minute=0, second=0, microsecond=0)
    local = (start + timedelta(hours=9)).strftime("%Y-%m-%dT%H:%M")
    client_as("employee").post("/requests/new", asked(starts_at=local))
    assert AccessRequest.objects.get().starts_at == start


def test_mistakes_are_said_at_the_top_and_at_the_field_and_keep_what_was_typed(client_as):
    response = client_as("employee").post("/requests/new", asked(OP, reason="", ticket="OPS-", duration="PT4H"))
    assert response.status_code == 422
    page = Page(response)
    assert page.text.count("Say why you need it") == 2
    assert "“OPS-” is not a valid ticket. Use OPS- followed by digits" in page.text
    assert "#id_reason" in page.links
    assert "#id_ticket" in page.links
    assert page.all("input", name="ticket")[0]["value"] == "OPS-"
    assert page.all("input", name="ticket")[0]["aria-invalid"] == "true"
    assert "checked" in page.all("input", name="duration", value="PT4H")[0]
    assert "Error:" in response.content.decode().split("</title>")[0]
    assert not AccessRequest.objects.exists()


def test_too_long_is_said_at_the_field_that_was_typed(client_as):
    response = client_as("employee").post("/requests/new", asked(duration="other", amount="31", unit="days"))
    assert response.status_code == 422
    assert "#id_amount" in Page(response).links
    assert "Enter at most 30 days, not 31 days." in Page(response).text


@pytest.mark.parametrize("amount", ["", "0", "-1", "1.5", "many", "9" * 30])
def test_an_amount_that_is_none(client_as, amount):
    response = client_as("employee").post("/requests/new", asked(duration="other", amount=amount, unit="days"))
    assert response.status_code == 422
    assert not AccessRequest.objects.exists()


def test_htmx_gets_the_form_with_its_mistakes_as_a_part(client_as):
    response = client_as("employee").post("/requests/new", asked(reason=""), headers=HTMX)
    assert response.status_code == 422
    assert response.content.strip().startswith(b'<div id="ask">')


def test_what_the_policy_refuses_is_said_and_kept(client_as):
    response = client_as("employee").post("/requests/new", asked(ADMIN, duration="PT1H", confirm="on"))
    assert response.status_code == 403
    assert "You are not allowed to request this" in Page(response).text
    assert not AccessRequest.objects.exists()


def test_asking_twice_ends_in_one_request(client_as):
    client = client_as("employee")
    client.post("/requests/new", asked())
    response = client.post("/requests/new", asked())
    assert response.status_code == 409
    assert "already asks for" in Page(response).text
    assert AccessRequest.objects.count() == 1


def test_granted_at_once_says_so(client_as):
    response = client_as("employee").post("/requests/new", asked(VIEWER), follow=True)
    assert AccessRequest.objects.get().status == "approved"
    assert "Its policy needs no decision" in Page(response).text


def test_a_form_sent_again_tells_what_has_become_of_it(client_as):
    client = client_as("employee")
    form = asked(VIEWER, key="form-1")
    assert "Its policy needs no decision" in Page(client.post("/requests/new", form, follow=True)).text
    grants.hand_back(grant_id=Grant.objects.get().pk, by=person("employee"))
    response = client.post("/requests/new", form, follow=True)
    page = Page(response)
    assert "granted at once. The role" not in page.text
    assert f"It made {AccessRequest.objects.get().ref}. No new request was made" in page.text


def test_a_start_that_is_granted_at_once_is_not_told_as_now(client_as):
    starts = timezone.localtime(timezone.now() + timedelta(hours=3)).strftime("%Y-%m-%dT%H:%M")
    response = client_as("employee").post("/requests/new", asked(VIEWER, starts_at=starts), follow=True)
    assert Grant.objects.get().status == "scheduled"
    assert "Its policy needs no decision" in Page(response).text
    assert "The access begins" in Page(response).text


def test_break_glass_stands_out_and_takes_a_confirmation(client_as):
    client = client_as("lead")
    page = Page(client.get("/requests/new", {"entitlement": ADMIN}))
    assert "Only for emergencies." in page.text
    assert "Break the glass for 30 minutes" in page.text
    response = client.post("/requests/new", asked(ADMIN, duration="PT1H"))
    assert response.status_code == 422
    assert "Confirm that this is an emergency" in Page(response).text
    assert not AccessRequest.objects.exists()
    client.post("/requests/new", asked(ADMIN, duration="PT1H", confirm="on"))
    assert AccessRequest.objects.get().break_glass


def test_what_people_write_is_escaped(client_as):
    client_as("employee").post("/requests/new", asked(reason="<script>alert(1)</script>"))
    made = AccessRequest.objects.get()
    response = client_as("lead").get(f"/requests/{made.ref}")
    assert "<script>alert(1)" not in response.content.decode()
    assert "<script>alert(1)</script>" in Page(response).text


def test_break_glass_offers_no_later_start(client_as):
    page = Page(client_as("lead").get(f"{NEW}?entitlement=demo/role/Admin"))
    assert "Start later" not in page.text
    assert not page.all("input", name="starts_at")
    assert "Start later" in Page(client_as("lead").get(f"{NEW}?entitlement=demo/role/Op")).text


@pytest.mark.parametrize(
    ("entitlement", "chosen"), [("demo/role/Op", "PT30M"), ("demo/role/User", "PT8H"), ("demo/role/Viewer", "PT8H")]
)
def test_the_form_begins_with_the_longest_time_only_where_little_is_at_stake(client_as, entitlement, chosen):
    page = Page(client_as("employee").get(f"{NEW}?entitlement={entitlement}"))
    assert [given["value"] for given in page.all("input", name="duration") if "checked" in given] == [chosen]


def test_the_catalogue_says_what_the_form_begins_with(client_as, tmp_path, airflow):
    written = 'title = "Operator"'
    source = CATALOGUE.read_text().replace(written, f'{written}\ndefault_duration = "3h"')
    offer(tmp_path, url=airflow.url, source=source)
    page = Page(client_as("employee").get(f"{NEW}?entitlement=demo/role/Op"))
    assert [given["value"] for given in page.all("input", name="duration") if "checked" in given] == ["PT3H"]


@pytest.mark.parametrize(
    "sent",
    [
        {"duration": "other", "amount": "20", "unit": "hours"},
        {"duration": "PT1H", "starts_at": "2019-01-01T09:00"},
        {"duration": "PT1H", "starts_at": "2099-01-01T09:00"},
        {"duration": "PT1H", "starts_at": "some day"},
    ],
)
def test_the_preview_promises_nothing_that_sending_refuses(client_as, sent):
    client = client_as("employee")
    form = {"entitlement": "demo/role/Op", "reason": "rotate the password of the warehouse", "ticket": "OPS-1", **sent}
    refused = client.post(NEW, form)
    assert refused.status_code == 422
    preview = Page(client.get(NEW, {**form, "preview": "1"}, headers={"HX-Request": "true"})).text
    assert "ou will have" not in preview


@pytest.mark.parametrize("sent", [{"duration": "PT8H"}, {"duration": "PT30M", "starts_at": "in three days"}])
def test_the_preview_knows_the_limits_of_what_nobody_decides(client_as, sent):
    request_at_status("approved", entitlement="demo/role/Viewer")  # for all of its 8 hours
    client = client_as("employee")
    form = {"entitlement": "demo/role/Viewer", "reason": "look", **sent}
    if "starts_at" in sent:
        form["starts_at"] = (timezone.localtime() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    assert client.post(NEW, form).status_code == 422
    preview = Page(client.get(NEW, {**form, "preview": "1"}, headers={"HX-Request": "true"})).text
    assert "ou will have" not in preview


def test_a_refused_duration_is_not_told_as_a_missing_one(client_as):
    """Without a decision the longest time counts for all that one holds."""
    client = client_as("employee")
    asked = {"entitlement": "demo/role/Viewer", "duration": "PT8H", "reason": "look at the failed runs"}
    client.post("/requests/new", asked)
    response = client.post("/requests/new", {**asked, "key": "another"})
    page = Page(response)
    assert response.status_code == 422
    assert "for at most 8 hours in total" in page.text
    assert "Choose for how long" not in page.text


def test_a_key_of_any_length_marks_a_form(client_as):
    client = client_as("employee")
    asked = {"entitlement": "demo/role/User", "duration": "PT8H", "reason": "month-end close", "key": "k" * 65}
    for _ in range(2):
        assert client.post("/requests/new", asked).status_code == 302
    comment = {"text": "For the close.", "key": "k" * 65}
    (made,) = AccessRequest.objects.all()
    for _ in range(2):
        assert client.post(f"/requests/{made.ref}/comments", comment).status_code == 302
    assert made.comments.count() == 1
