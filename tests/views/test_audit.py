"""The trail's page: one filter, sentences by day, everything in place, export and verification."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine

from accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.dags.actions import trigger
from tests import trail
from tests.factories import grant_at_status, person, request_at_status
from tests.views.pages import Page

pytestmark = pytest.mark.usefixtures("catalogue")

HTMX = {"HX-Request": "true"}


def note(number: int = 1, *, by: str = "lead", target: str = "REQ-1") -> None:
    for _ in range(number):
        with recording() as trail:
            trail.add(Verb.SIGNED_IN, by=person(by), target=target)


def seqs(page: Page) -> list[int]:
    return [int((given["id"] or "").removeprefix("event-")) for given in page.all("details", **{"class": "event"})]


@pytest.mark.parametrize("address", ["/audit", "/audit/export"])
def test_auditors_and_admins_alone(client_as, address):
    for who, status in (("auditor", 200), ("admin", 200), ("lead", 403), ("employee", 403), ("stranger", 403)):
        assert client_as(who).get(address).status_code == status


def test_events_stand_as_sentences_by_day_in_the_readers_zone(client_as, auditor):
    auditor.timezone = "Asia/Seoul"
    auditor.save(update_fields=["timezone"])
    with time_machine.travel(datetime(2026, 11, 20, 14, 59, tzinfo=UTC), tick=False):
        note()
    with time_machine.travel(datetime(2026, 11, 20, 15, 1, tzinfo=UTC), tick=False):  # past midnight in Seoul
        note()
    page = Page(client_as("auditor").get("/audit", {"actor": "lead"}))
    assert page.text.index("Saturday 21 November 2026") < page.text.index("00:01:00 lead signed in")
    assert page.text.index("Friday 20 November 2026") < page.text.index("23:59:00 lead signed in")


@pytest.mark.parametrize("strange", trail.STRANGE)
def test_an_event_that_cannot_be_read_is_shown_all_the_same(client_as, strange):
    request_at_status("denied")
    event = AuditEvent.objects.get(verb="request.denied")
    trail.forge(event.seq, **trail.STRANGE[strange])
    client = client_as("auditor")
    page = Page(client.get("/audit"))
    assert event.seq in seqs(page)
    assert client.post("/audit/verify").status_code == 302
    assert "The database was changed without Gatehouse." in Page(client.get("/audit")).text
    assert event.chain in b"".join(client.get("/audit/export", {"format": "csv"}).streaming_content).decode()


@pytest.mark.parametrize("name", ["actor", "target", "about"])
def test_a_person_is_found_in_any_spelling(client_as, name):
    User.objects.filter(username="employee").update(username="Employee")
    with recording() as said:
        said.add(Verb.SIGNED_IN, by=User.objects.get(username="Employee"), target="Employee")
    event = AuditEvent.objects.get(verb=Verb.SIGNED_IN)
    for spelling in ("employee", "EMPLOYEE"):
        assert seqs(Page(client_as("auditor").get("/audit", {name: spelling}))) == [event.seq]


def test_an_event_opens_to_all_it_holds(client_as):
    made = request_at_status("denied")
    event = AuditEvent.objects.get(verb="request.denied")
    page = Page(client_as("auditor").get("/audit", {"target": made.ref, "verb": "request.denied"}))
    assert seqs(page) == [event.seq]
    assert event.chain in page.text
    assert event.prev in page.text
    assert '"comment": "not this week"' in page.text
    assert f"/requests/{made.ref}" in page.links


def test_break_glass_is_marked_on_every_event_of_its_request_and_found(client_as, catalogue):
    hour = timedelta(hours=1)
    why = "the scheduler hangs for everybody"
    broken = request_at_status("approved", by="lead", entitlement="demo/role/Admin", duration=hour, reason=why)
    request_at_status("pending", by="employee", entitlement="demo/role/User")
    client = client_as("auditor")
    page = client.get("/audit")
    rows = [row for _, rows in page.context["page"].days for row in rows if row.event.request]
    assert {row.event.request for row in rows if row.break_glass} == {broken.ref}
    assert all(row.break_glass == (row.event.request == broken.ref) for row in rows)
    assert "by break-glass" in Page(page).text
    assert len(seqs(Page(client.get("/audit", {"q": "break-glass", "verb": "request.*"})))) == 2


def test_details_are_readable_before_they_are_json(client_as, cast, airflow):
    Dag.objects.update(undeclared=True)
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    trigger(by=cast["colleague"], dag=dag, conf={"city": "부산"})
    page = Page(client_as("auditor").get("/audit", {"verb": "run.requested"}))
    assert "By colleague Deployment demo Parameters" in page.text
    assert 'Parameters { "city": "부산" }' in page.text
    assert page.text.index("Parameters") < page.text.index("as JSON, with its hash")


def test_moments_are_told_with_their_zone(client_as, auditor, airflow):
    auditor.timezone = "Asia/Seoul"
    auditor.save(update_fields=["timezone"])
    grant = grant_at_status("active")
    ends = grant.ends_at.astimezone(ZoneInfo("Asia/Seoul"))
    page = Page(client_as("auditor").get("/audit", {"target": grant.ref, "verb": "grant.verified"}))
    assert f"Ends {ends.day} {ends:%B %Y, %H:%M:%S} KST" in page.text


def test_verbs_are_offered_in_groups_by_their_words(client_as):
    page = Page(client_as("auditor").get("/audit"))
    assert [given["label"] for given in page.all("optgroup")][:3] == ["Signing in", "People", "Tokens"]
    for words in (
        "Signing in: all",
        "Signed in",
        "Sign-in refused",
        "Request approve: refused",
        "Grant verified in Airflow",
    ):
        assert words in page.text


def test_the_filters_narrow_and_come_back_as_they_were_typed(client_as):
    note(2)
    note(3, by="security", target="visitor")
    client = client_as("auditor")
    page = Page(client.get("/audit", {"actor": "security", "target": "visitor", "verb": "session.*"}))
    assert len(seqs(page)) == 3
    assert page.all("input", name="actor")[0]["value"] == "security"
    assert any(given.get("value") == "session.*" and "selected" in given for given in page.all("option"))
    assert "No matching events" in Page(client.get("/audit", {"actor": "nobody"})).text
    assert len(seqs(Page(client.get("/audit", {"q": "visitor"})))) == 3
    assert len(seqs(Page(client.get("/audit", {"outcome": "refused", "actor": "lead"})))) == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"since": "yesterday"}, "is not a date or time"),
        ({"verb": "nothing.happened"}, "There is no event"),
        ({"outcome": "great"}, "is not an outcome"),
        ({"since": "2026-11-21", "until": "2026-11-20"}, "The end is before the start"),
    ],
)
def test_a_filter_that_cannot_be_is_said(client_as, given, words):
    response = client_as("auditor").get("/audit", given)
    assert response.status_code == 422
    assert words in Page(response).text
    assert seqs(Page(response)) == []


def test_a_moment_in_the_address_is_not_lost_in_a_date_field(client_as):
    response = client_as("auditor").get("/audit", {"since": "2026-11-21T09:00:00Z"})
    field = Page(response).all("input", name="since")[0]
    assert (field["type"], field["value"]) == ("text", "2026-11-21T09:00:00Z")


def test_pages_lead_to_older_and_back_to_newer_with_the_filters(client_as, monkeypatch):
    monkeypatch.setattr("portal.web.audit.rows.SIZE", 2)
    note(5, target="visitor")
    newest = AuditEvent.objects.order_by("-seq").first().seq
    client = client_as("auditor")
    first = client.get("/audit", {"target": "visitor"})
    assert seqs(Page(first)) == [newest, newest - 1]
    assert first.context["page"].newer == ""
    second = client.get("/audit" + first.context["page"].older)
    assert seqs(Page(second)) == [newest - 2, newest - 3]
    third = client.get("/audit" + second.context["page"].older)
    assert seqs(Page(third)) == [newest - 4]
    assert third.context["page"].older == ""
    assert seqs(Page(client.get("/audit" + third.context["page"].newer))) == [newest - 2, newest - 3]
    assert seqs(Page(client.get("/audit" + second.context["page"].newer))) == [newest, newest - 1]
    assert "target=visitor" in second.context["page"].newer


@pytest.mark.parametrize("place", ["x", "1.5", "²", "9" * 30])
def test_a_made_up_place_is_a_404(client_as, place):
    assert client_as("auditor").get("/audit", {"before": place}).status_code == 404


def test_htmx_gets_the_events_alone(client_as):
    note()
    response = client_as("auditor").get("/audit", {"actor": "lead"}, headers=HTMX)
    assert response.content.decode().strip().startswith('<section id="trail"')


# --- export ----------------------------------------------------------------------------------------------------------
def test_the_export_is_what_the_page_shows_and_is_an_event_itself(client_as):
    note(2)
    note(3, by="security")
    client = client_as("auditor")
    page = Page(client.get("/audit", {"actor": "security"}))
    assert "/audit/export?format=csv&actor=security" in page.links
    response = client.get("/audit/export?format=csv&actor=security")
    assert response.streaming
    assert "attachment" in response["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(b"".join(response.streaming_content).decode())))
    assert [row["actor"] for row in rows] == ["security"] * 3
    event = AuditEvent.objects.get(verb="audit.exported")
    assert event.actor == "auditor"
    assert json.loads(event.payload)["detail"]["filter"] == {"actor": "security"}


def test_jsonl(client_as):
    note(2)
    response = client_as("auditor").get("/audit/export?format=jsonl&actor=lead")
    lines = b"".join(response.streaming_content).decode().splitlines()
    assert [json.loads(line)["event"]["actor"] for line in lines] == ["lead", "lead"]


def test_an_unknown_form_of_export_is_refused_and_nothing_recorded(client_as):
    response = client_as("auditor").get("/audit/export?format=xls")
    assert response.status_code == 422
    assert not AuditEvent.objects.filter(verb="audit.exported").exists()


# --- verification ----------------------------------------------------------------------------------------------------
def test_verifying_says_what_was_found_and_the_page_keeps_saying_it(client_as):
    note(3)
    client = client_as("auditor")
    assert "Nobody has verified the trail yet" in Page(client.get("/audit")).text
    number = AuditEvent.objects.count()
    response = client.post("/audit/verify", follow=True)
    assert response.redirect_chain == [("/audit", 302)]
    said = (
        f"The trail is unbroken: {number} events verified, up to {number}; 0 requests, grants and runs match the trail"
    )
    assert said in Page(response).text
    assert f"by auditor: {number} events, unbroken up to event {number}." in Page(client.get("/audit")).text


def test_one_verification_at_a_time(client_as):
    client, told = client_as("auditor"), []
    with trail.while_it_is_verified(lambda: told.append(client_as("auditor").post("/audit/verify", follow=True))):
        assert "The trail is unbroken" in Page(client.post("/audit/verify", follow=True)).text
    (page,) = map(Page, told)
    assert "The trail is being verified already. Its result appears on the audit page." in page.text
    assert AuditEvent.objects.filter(verb="audit.verified").count() == 1
    assert "The trail is unbroken" in Page(client.post("/audit/verify", follow=True)).text


def test_a_changed_trail_is_found_and_told(client_as, monkeypatch):
    note(3)
    # what somebody with the database's own password could do is told in tests/unit/audit; here, that it is shown
    monkeypatch.setattr("portal.audit.verify.chained", lambda prev, leaf: "0" * 64)
    response = client_as("auditor").post("/audit/verify", follow=True)
    page = Page(response)
    assert "The database was changed without Gatehouse. Event 1 was changed" in page.text
    assert "The database was changed without Gatehouse. This was found when auditor verified the trail" in page.text


def test_verifying_is_not_done_by_following_a_link(client_as):
    before = AuditEvent.objects.count()
    assert client_as("auditor").get("/audit/verify")["Location"] == "/audit"
    assert AuditEvent.objects.count() == before
    assert client_as("lead").post("/audit/verify").status_code == 403
