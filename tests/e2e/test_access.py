"""From asking to having to having had, as people see it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from playwright.sync_api import Page, expect

from portal.access import grants
from portal.access.models import AccessRequest, Grant
from portal.airflow import health
from portal.core import clock
from portal.operations.models import Operation
from tests.factories import grant_at_status, request_at_status, work_off


def ask_for(page: Page, title: str, *, words: str, duration: str = "8 hours", reason: str, ticket: str = "") -> None:
    """Search, choose, fill in, send: from any page of somebody signed in to the new request's own page."""
    page.get_by_role("link", name="Request access").first.click()
    page.get_by_role("searchbox", name="What do you need to do?").fill(words)
    page.get_by_role("link", name=re.compile(f"Request ?: {title} on demo")).click()
    page.get_by_role("radio", name=duration, exact=True).check()
    page.get_by_role("textbox", name="Why do you need it?").fill(reason)
    if ticket:
        page.get_by_role("textbox", name="Ticket").fill(ticket)
    page.get_by_role("button", name=re.compile("^Send request")).click()
    expect(page).to_have_url(re.compile(r"/requests/REQ-\d+$"))


def test_asked_approved_verified_handed_back(airflow, enter):
    employee, lead = enter("employee"), enter("lead")
    ask_for(employee, "Work with DAGs", words="work", reason="month-end close")
    request = AccessRequest.objects.get()
    line = employee.get_by_role("list", name="Timeline")
    expect(employee.get_by_role("main").get_by_role("status").first).to_contain_text("lead")
    expect(line).to_contain_text("lead or lead2 decides")

    lead.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Queue").click()
    expect(lead.get_by_role("heading", level=2, name=re.compile("employee"))).to_be_visible()
    lead.get_by_role("button", name="Approve for 8 hours").click()
    expect(lead.get_by_text(f"You approved {request.ref} for 8 hours.")).to_be_visible()
    expect(lead.get_by_role("heading", name="No requests to decide")).to_be_visible()

    work_off()
    expect(line).to_contain_text("Verified in Airflow on demo")  # without a reload
    assert "User" in airflow.roles_of("employee")

    employee.get_by_role("link", name="My access").first.click()
    employee.locator("summary", has_text="Hand back").click()
    employee.get_by_role("button", name="Hand back Work with DAGs").click()
    expect(employee.get_by_text(re.compile("You handed back .*Work with DAGs.* on demo"))).to_be_visible()
    work_off()
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("Airflow confirmed that it is gone")
    assert "User" not in airflow.roles_of("employee")


def test_two_steps_and_a_ticket(airflow, enter):
    employee = enter("employee", "/requests/new?entitlement=demo/role/Op")
    expect(employee.get_by_role("complementary", name="Policy")).to_contain_text("security")
    employee.get_by_role("textbox", name="Why do you need it?").fill("rotate a connection")
    employee.get_by_role("button", name=re.compile("^Send request")).click()
    summary = employee.get_by_role("alert")
    expect(summary).to_contain_text("ticket")
    expect(summary).to_be_focused()
    employee.get_by_role("textbox", name="Ticket").fill("OPS-12")
    employee.get_by_role("button", name=re.compile("^Send request")).click()
    expect(employee).to_have_url(re.compile(r"/requests/REQ-\d+$"))

    for name, said in (("lead", "Your approval of"), ("security", re.compile(r"You approved REQ-\d+ for"))):
        page = enter(name, "/queue")
        page.get_by_role("button", name=re.compile("^Approve for ")).click()
        expect(page.get_by_text(said)).to_be_visible()
    work_off()
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("Verified in Airflow")
    assert "Op" in airflow.roles_of("employee")


def test_granted_at_once(airflow, enter):
    employee = enter("employee")
    ask_for(employee, "Look around", words="viewer", reason="see a log", duration="1 hour")
    work_off()
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("Verified in Airflow")
    assert "Viewer" in airflow.roles_of("employee")


def test_denied_with_a_reason_that_the_requester_reads(airflow, enter):
    request = request_at_status()
    lead = enter("lead", f"/queue/{request.ref}")
    lead.get_by_text("Deny", exact=True).click()
    reason = lead.get_by_role("textbox", name=re.compile("[Ww]hy|[Rr]eason"))
    expect(reason).to_be_focused()
    lead.get_by_role("button", name="Deny with this reason").click()
    expect(lead.get_by_text("Say why you deny it")).not_to_have_count(0)
    lead.get_by_role("textbox", name=re.compile("[Ww]hy|[Rr]eason")).fill("use the report instead")
    lead.get_by_role("button", name="Deny with this reason").click()
    expect(lead.get_by_text(f"You denied {request.ref}.")).to_be_visible()

    employee = enter("employee", f"/requests/{request.ref}")
    expect(employee.get_by_role("main")).to_contain_text("use the report instead")
    assert work_off() == 0


def test_approved_for_less_than_was_asked(airflow, enter):
    request = request_at_status()
    lead = enter("lead", f"/queue/{request.ref}")
    lead.get_by_text("Approve for less", exact=True).click()
    lead.get_by_role("textbox", name="Other duration").fill("1 hour")
    lead.get_by_role("button", name="Approve for this time").click()
    expect(lead.get_by_text("for 1 hour, instead of the requested 8 hours")).to_be_visible()
    assert Grant.objects.get().duration == timedelta(hours=1)


def test_revoked_with_a_reason(airflow, enter):
    grant = grant_at_status("active")
    lead, employee = (
        enter("lead", f"/requests/{grant.request.ref}"),
        enter("employee", f"/requests/{grant.request.ref}"),
    )
    lead.locator("summary").filter(has_text="Revoke access").click()
    lead.get_by_role("button", name="Revoke Work with DAGs of employee").click()
    expect(lead.get_by_role("alert")).to_contain_text("Say why")
    lead.get_by_role("textbox", name="Why?").fill("the close is over")
    lead.get_by_role("button", name="Revoke Work with DAGs of employee").click()
    expect(lead.get_by_text(re.compile("You revoked employee.s .*Work with DAGs.* access"))).to_be_visible()
    expect(lead.locator("summary").filter(has_text="Revoke access")).to_have_count(0)  # once is enough
    work_off()
    employee.reload()
    expect(employee.get_by_role("main")).to_contain_text("the close is over")
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("Revoked")
    assert "User" not in airflow.roles_of("employee")


def test_expired_by_itself(airflow, enter):
    grant = grant_at_status("active", duration=timedelta(minutes=2))
    employee = enter("employee", "/access")
    expect(employee.get_by_role("main")).to_contain_text("Work with DAGs on demo")
    assert grant.ends_at is not None
    with time_machine.travel(grant.ends_at + timedelta(seconds=1)):
        assert grants.expire_due() == 1
        work_off()
        employee.reload()
        expect(employee.get_by_role("main")).to_contain_text("You have no access at the moment")
        employee.get_by_role("link", name="Past").click()
        expect(employee.get_by_role("row", name=re.compile("Work with DAGs"))).to_contain_text("its time was over")
    assert "User" not in airflow.roles_of("employee")


def test_withdrawn(catalogue, enter):
    request = request_at_status()
    employee = enter("employee", f"/requests/{request.ref}")
    employee.get_by_text("Withdraw request", exact=True).click()
    employee.get_by_role("button", name=f"Withdraw {request.ref}").click()
    expect(employee.get_by_text(f"You withdrew {request.ref}.")).to_be_visible()


def test_an_airflow_that_is_away_is_said_and_waited_for(airflow, enter):
    request = request_at_status()
    employee = enter("employee", f"/requests/{request.ref}")
    airflow.stop()
    lead = enter("lead", f"/queue/{request.ref}")
    lead.get_by_role("button", name="Approve for 8 hours").click()
    expect(lead.get_by_text(f"You approved {request.ref}")).to_be_visible()
    work_off()
    health.check(request.entitlement.deployment)  # one call that fails is not enough to say so
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("unreachable")
    airflow.start()
    health.check(request.entitlement.deployment)
    Operation.objects.update(not_before=clock.now())  # its own time has come, too
    work_off()
    expect(employee.get_by_role("list", name="Timeline")).to_contain_text("Verified in Airflow")


@pytest.mark.parametrize("name", ["employee", "lead"])
def test_signing_in_and_out(catalogue, visit, name):
    page = visit()
    page.goto("/requests")
    expect(page).to_have_url(re.compile(r"/login\?next="))
    page.get_by_role("textbox", name="User name").fill(name)
    page.get_by_role("textbox", name="Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("not signed in")
    page.get_by_role("textbox", name="User name").fill(name)
    page.get_by_role("textbox", name="Password").fill("gatehouse-demo")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/requests$"))
    page.get_by_text(name, exact=True).first.click()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name=re.compile("Sign out")).click()
    expect(page).to_have_url(re.compile("/login"))
    page.goto("/requests")
    expect(page).to_have_url(re.compile("/login"))
