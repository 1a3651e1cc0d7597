"""A variable that is changed by an approved request, and set back to its old value by keyboard alone."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from portal.dags.models import VariableState
from tests.e2e.test_accessibility import check
from tests.factories import read_variables, work_off
from tests.fake_airflow.rows import FakeVariable

PAGE = "/variables/demo/report_mode"


def test_asked_for_approved_and_set_back(airflow, enter):
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", "full", None)
    VariableState.objects.all().delete()
    read_variables()
    employee, lead = enter("employee", PAGE, javascript=False), enter("lead", csp=False)
    employee.get_by_role("radio", name="fast").check()
    employee.get_by_role("button", name="Ask to change report_mode").click()
    expect(employee.get_by_role("link", name=re.compile("Say why you need it|Enter a reason|reason"))).to_be_visible()
    expect(employee.get_by_role("radio", name="fast")).to_be_checked()
    employee.get_by_role("textbox", name="Why do you change it?").fill("quarter end")
    employee.get_by_role("button", name="Ask to change report_mode").click()
    expect(employee).to_have_url(re.compile(r"/requests/REQ-\d+"))

    lead.goto("/queue")
    main = lead.get_by_role("main")
    expect(main.get_by_text("Allowed: one of full, fast.")).to_be_visible()
    assert not check(lead, "queue with a variable")
    lead.get_by_role("button", name="Approve the change").click()
    expect(main.get_by_text(re.compile(r"You approved REQ-\d+"))).to_be_visible()
    work_off()
    assert airflow.state.variables["report_mode"].value == "fast"

    colleague = enter("colleague", PAGE)
    colleague.get_by_role("link", name="Use “full” again").press("Enter")
    expect(colleague.get_by_role("radio", name="full")).to_be_checked()
    colleague.get_by_role("textbox", name="Why do you change it?").focus()
    colleague.keyboard.type("the quarter is over")
    colleague.keyboard.press("Tab")
    colleague.keyboard.press("Enter")
    now = colleague.locator("#value-now")
    expect(now.get_by_text("is changing it to “full”")).to_be_visible()
    work_off()
    expect(now.get_by_text("Set by colleague")).to_be_visible()  # without a reload
    expect(colleague.locator("#changes").get_by_text("fast → full")).to_be_visible()
    expect(colleague.locator("#changes").get_by_text("succeeded").first).to_be_visible()
