"""Variables on the pages: the list, changing one, asking for a change, the old value."""

from __future__ import annotations

import pytest
from django.utils import timezone

from portal.catalogue.models import Deployment
from portal.dags.models import VariableRequest, VariableState
from portal.operations.models import Operation
from tests import factories
from tests.fake_airflow.rows import FakeVariable
from tests.views.pages import Page

PAGE = "/variables/demo/report_mode"


@pytest.fixture(autouse=True)
def fake(airflow):
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", "full", None)
    VariableState.objects.all().delete()
    factories.read_variables()
    return airflow


def entered(shown: Page, name: str = "value") -> str | None:
    """What a field begins with: the checked radio button, or the text of the input."""
    found = shown.all("input", name=name)
    return next((one.get("value") or "" for one in found if "checked" in one or one["type"] != "radio"), None)


def page(client, address: str) -> Page:
    response = client.get(address)
    assert response.status_code == 200
    return Page(response)


def test_a_change_at_once_and_back_to_the_old_value(client_as, fake):
    client = client_as("colleague")
    assert "/variables" in page(client, "/dags").links
    listed = page(client, "/variables")
    assert "report_mode on demo" in listed.text
    assert PAGE in listed.links
    assert "Set in Airflow, not through Gatehouse." in listed.text
    answer = client.post(PAGE, {"value": '"fast"', "reason": "quarter end"}, follow=True)
    shown = Page(answer)
    assert "OP-1 changes report_mode." in shown.text
    assert "is changing it to “fast”, as colleague asked" in shown.text
    assert client.post(PAGE, {"value": '"fast"', "reason": "quarter end"}).status_code == 302
    assert Operation.objects.count() == 1  # a double click
    factories.work_off()
    assert fake.state.variables["report_mode"].value == "fast"
    shown = page(client, PAGE)
    assert "Set by colleague" in shown.text
    assert "full → fast" in shown.text
    assert f"{PAGE}?value=full#change" in shown.links
    filled = page(client, f"{PAGE}?value=full")
    assert entered(filled) == '"full"'


def test_asking_deciding_and_the_result(client_as, fake):
    client = client_as("employee")
    shown = page(client, PAGE)
    assert "Ask for a change" in shown.text
    assert "Decided by lead or lead2" in shown.text
    answer = client.post(PAGE, {"value": '"fast"', "reason": "quarter end", "key": "form-1"}, follow=True)
    request = VariableRequest.objects.get()
    assert "employee asks to set the variable report_mode on demo to “fast”" in Page(answer).text
    client.post(PAGE, {"value": '"fast"', "reason": "quarter end", "key": "form-1"})
    assert VariableRequest.objects.count() == 1
    assert "employee asks to set it to “fast”. It is waiting for a decision." in page(client, PAGE).text

    lead = client_as("lead")
    queue = page(lead, "/queue")
    for words in ("Set the variable report_mode on demo to “fast”", "Allowed: one of full, fast.", "full"):
        assert words in queue.text
    answer = lead.post(f"/requests/{request.ref}/approve", follow=True)
    assert f"You approved {request.ref}. Gatehouse is changing report_mode." in Page(answer).text
    factories.work_off()
    shown = page(client, f"/requests/{request.ref}")
    assert "report_mode is “fast” now: Airflow confirms it." in shown.text
    assert "Value before full" in shown.text
    assert fake.state.variables["report_mode"].value == "fast"
    assert f"approved as {request.ref}" in page(client, PAGE).text
    assert "Set the variable report_mode" in page(client, "/requests?show=closed").text


def test_a_returned_request_is_changed_on_its_page(client_as):
    client, lead = client_as("employee"), client_as("lead")
    client.post("/variables/demo/report_days", {"value": "31", "reason": "quarter end"})
    request = VariableRequest.objects.get()
    lead.post(f"/requests/{request.ref}/return", {"comment": "fewer"})
    form = page(client, f"/requests/{request.ref}")
    assert entered(form) == "31"
    sent = {"value": "99", "reason": "quarter end", "round": "1"}
    wrong = client.post(f"/requests/{request.ref}/resubmit", sent)
    assert wrong.status_code == 422
    assert "at most 31" in Page(wrong).text
    client.post(f"/requests/{request.ref}/resubmit", {**sent, "value": "7"})
    request.refresh_from_db()
    assert (request.value, request.status) == ("7", "pending")


@pytest.mark.parametrize(
    ("address", "sent", "words"),
    [
        (PAGE, {"value": '"slow"', "reason": "x"}, "choose one of full, fast"),
        (PAGE, {"value": '"full"', "reason": "x"}, "has this value already"),
        (PAGE, {"value": '"fast"', "reason": " "}, "Say why you change it"),
        (PAGE, {"reason": "x"}, "choose one of full, fast"),
        ("/variables/demo/report_days", {"value": "99", "reason": "x"}, "at most 31"),
        ("/variables/demo/report_days", {"value": "many", "reason": "x"}, "number"),
        ("/variables/demo/report_days", {"value": "", "reason": "x"}, "Enter a value."),
    ],
)
def test_a_wrong_field_is_named_and_what_was_typed_stays(client_as, address, sent, words):
    Deployment.objects.update(variables=[{**one, "who": ["group:sales"]} for one in Deployment.objects.get().variables])
    response = client_as("colleague").post(address, sent)
    shown = Page(response)
    assert response.status_code == 422
    assert words in shown.text
    assert entered(shown) == sent.get("value") or sent.get("value") == '"slow"'
    assert f">\n{sent['reason']}</textarea>" in response.content.decode()
    assert not Operation.objects.exists()


@pytest.mark.parametrize("who", ["stranger", "security"])
def test_others_see_none(client_as, who):
    client = client_as(who)
    assert "There is no variable for you" in page(client, "/variables").text
    assert client.get(PAGE).status_code == 404
    assert client.post(PAGE, {"value": '"fast"', "reason": "x"}).status_code == 404
    assert "/variables" not in page(client, "/dags").links


def test_an_auditor_reads_and_changes_nothing(client_as):
    client = client_as("auditor")
    assert "You may not change report_mode. Allowed: group sales." in page(client, PAGE).text
    assert client.post(PAGE, {"value": '"fast"', "reason": "x"}).status_code == 403
    assert not Operation.objects.exists()


def test_a_value_outside_the_schema_is_marked(client_as, fake):
    fake.state.variables["report_mode"].value = "strange"
    VariableState.objects.all().delete()
    factories.read_variables()
    client = client_as("colleague")
    assert "not one that the catalogue allows: one of full, fast" in page(client, "/variables").text
    assert "This value is not one that the catalogue allows" in page(client, PAGE).text


def test_a_change_that_failed_says_why(client_as, fake):
    client = client_as("colleague")
    client.post(PAGE, {"value": '"fast"', "reason": "quarter end"})
    Deployment.objects.update(variables=[{"key": "report_mode", "schema": {"enum": ["full"]}, "who": ["group:sales"]}])
    factories.work_off()
    assert "the last change, failed: The catalogue no longer allows this value." in page(client, PAGE).text


def test_a_variable_that_was_never_read(client_as):
    VariableState.objects.all().delete()
    client = client_as("colleague")
    assert "not read yet" in page(client, "/variables").text
    assert "Gatehouse reads it from Airflow within a minute." in page(client, PAGE).text


def test_a_bare_variable_takes_several_lines(client_as, fake):
    Deployment.objects.update(variables=[{"key": "report_mode", "who": ["group:sales"]}])
    client = client_as("colleague")
    client.post(PAGE, {"value": "one\r\ntwo", "reason": "quarter end"})
    factories.work_off()
    assert fake.state.variables["report_mode"].value == "one\ntwo"
    VariableState.objects.update(seen_at=timezone.now())
    client.post(PAGE, {"value": "", "reason": "no lines"})
    factories.work_off()
    assert fake.state.variables["report_mode"].value == ""
