"""Everything a newcomer does on the first day, in a browser that runs no script at all."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from portal.access.models import AccessRequest
from tests.factories import PASSWORD, follow_runs, grant_at_status, request_at_status, work_off


def sign_in(page: Page, name: str) -> None:
    page.goto("/")
    page.get_by_role("textbox", name="User name").fill(name)
    page.get_by_role("textbox", name="Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Home")).to_be_visible()


def sign_out(page: Page, name: str) -> None:
    page.locator("summary").filter(has_text=name).first.click()
    page.get_by_role("link", name="Sign out").click()
    page.get_by_role("button", name=re.compile("Sign out")).click()


def test_the_whole_way(airflow, visit):
    page = visit(javascript=False)

    # the employee asks
    sign_in(page, "employee")
    page.get_by_role("link", name="Request access").first.click()
    page.get_by_role("searchbox", name="What do you need to do?").fill("work with")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("Request ?: Work with DAGs")).click()
    page.get_by_role("radio", name="8 hours", exact=True).check()
    page.get_by_role("button", name=re.compile("^Send request")).click()
    expect(page.get_by_role("alert")).to_contain_text("Say why")
    page.get_by_role("textbox", name="Why do you need it?").fill("month-end close")
    page.get_by_role("button", name=re.compile("^Send request")).click()
    expect(page.get_by_role("main")).to_contain_text("lead or lead2 decides")
    request = AccessRequest.objects.get()
    sign_out(page, "employee")

    # a lead decides
    sign_in(page, "lead")
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Queue").click()
    page.get_by_role("button", name="Approve for 8 hours").click()
    expect(page.get_by_role("main")).to_contain_text(f"You approved {request.ref}")
    expect(page.get_by_role("main")).to_contain_text("No requests to decide")
    sign_out(page, "lead")
    work_off()
    assert "User" in airflow.roles_of("employee")

    # the employee has it, and gives it back
    sign_in(page, "employee")
    page.get_by_role("link", name="My requests").first.click()
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_role("link", name=re.compile("Work with DAGs")).first.click()
    expect(page.get_by_role("main")).to_contain_text("Verified in Airflow on demo")
    page.get_by_role("link", name="My access").first.click()
    page.locator("summary", has_text="Hand back").click()
    page.get_by_role("button", name=re.compile("Hand back.*Work with DAGs")).click()
    expect(page.get_by_role("main")).to_contain_text("You handed back")
    sign_out(page, "employee")
    work_off()
    assert "User" not in airflow.roles_of("employee")

    # a colleague runs a DAG and pauses it
    sign_in(page, "colleague")
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="DAGs").click()
    page.get_by_role("link", name="sales_report", exact=True).click()
    page.get_by_role("radio", name="APAC").check()
    page.get_by_role("button", name=re.compile("^(Run|Start)")).click()
    expect(page).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    work_off()
    airflow.set_run_states("success")
    follow_runs()
    page.reload()
    expect(page.get_by_role("main")).to_contain_text("succeeded")
    page.goto("/dags/demo/sales_report")
    page.locator("summary").filter(has_text="Pause sales_report").click()
    page.get_by_role("textbox", name="Reason").fill("stock-taking")
    page.get_by_role("button", name="Pause it").click()
    expect(page.get_by_role("main")).to_contain_text("The DAG is being paused in Airflow")
    work_off()
    assert airflow.state.dags["sales_report"].paused
    sign_out(page, "colleague")

    # the auditor reads all of it
    sign_in(page, "auditor")
    page.get_by_role("link", name="Audit trail").first.click()
    for words in ("employee", "lead", "colleague", "sales_report"):
        expect(page.get_by_role("main")).to_contain_text(words)
    page.get_by_role("button", name="Verify the trail").click()
    expect(page.get_by_role("main")).to_contain_text("unbroken")


def test_a_denial_and_a_revocation(airflow, visit):
    grant, request = grant_at_status("active"), request_at_status(entitlement="demo/dag/sales_report/view")
    page = visit(javascript=False)
    sign_in(page, "lead")
    page.goto(f"/queue/{request.ref}")
    page.locator("summary").filter(has_text="Deny").click()
    page.get_by_role("textbox", name="Why you deny it").fill("use the dashboard")
    page.get_by_role("button", name="Deny with this reason").click()
    expect(page.get_by_role("main")).to_contain_text(f"You denied {request.ref}")
    page.goto(f"/requests/{grant.request.ref}")
    page.locator("summary").filter(has_text="Revoke access").click()
    page.get_by_role("textbox", name="Why?").fill("the close is over")
    page.get_by_role("button", name=re.compile("^Revoke .* of employee")).click()
    expect(page.get_by_role("main")).to_contain_text("You revoked")
    work_off()
    assert "User" not in airflow.roles_of("employee")


def test_a_return_a_comment_and_another_round(airflow, visit):
    request = request_at_status(entitlement="demo/role/Op")
    page = visit(javascript=False)
    sign_in(page, "lead")
    page.goto(f"/queue/{request.ref}")
    page.locator("summary").filter(has_text="Return").click()
    page.get_by_role("textbox", name="What should be changed?").fill("two hours are enough")
    page.get_by_role("button", name="Return to employee").click()
    expect(page.get_by_role("main")).to_contain_text(f"You returned {request.ref}")
    sign_out(page, "lead")
    sign_in(page, "employee")
    page.get_by_role("link", name=re.compile("Operator on demo")).click()
    expect(page.get_by_role("main")).to_contain_text("two hours are enough")
    page.locator("summary").filter(has_text="Write a comment").click()
    page.get_by_role("textbox", name="Comment").fill("Good point.")
    page.get_by_role("button", name="Send the comment").click()
    page.get_by_role("textbox", name="For how long?").fill("2 hours")
    page.get_by_role("button", name=f"Send {request.ref} again").click()
    expect(page.get_by_role("main")).to_contain_text(f"{request.ref} was sent again")
    sign_out(page, "employee")
    sign_in(page, "lead2")
    page.goto(f"/queue/{request.ref}")
    expect(page.get_by_role("main")).to_contain_text("For 2 hours instead of 8 hours.")
    expect(page.get_by_role("main")).to_contain_text("Good point.")
    page.get_by_role("button", name="Approve for 2 hours").first.click()
    expect(page.get_by_role("main")).to_contain_text(f"Your approval of {request.ref} is recorded")
