"""A run from its approval to its end, the log of a failed one and its retry, a pause with an end."""

from __future__ import annotations

import re
from datetime import timedelta

from playwright.sync_api import expect

from portal.core import clock
from portal.dags.models import DagState, Run
from tests.factories import follow_runs, look_at_dags, work_off

# a browser window that nobody sees, in which notifications are noted instead of shown
HIDDEN = """
  Object.defineProperty(document, "hidden", { get: () => true });
  window.Notification = class {
    static permission = "default";
    static async requestPermission() { return (this.permission = "granted"); }
    constructor(words, options) { document.documentElement.dataset.noted = `${options.tag}: ${words}`; }
    addEventListener() {}
  };
"""


def test_an_approved_run_starts_and_its_requester_is_told(airflow, enter):
    look_at_dags()
    employee, lead = enter("employee", "/dags/demo/payroll_close"), enter("lead")
    employee.get_by_role("textbox", name="Why do you need this run?").fill("month-end close")
    employee.get_by_role("button", name="Ask to run payroll_close").click()
    expect(employee).to_have_url(re.compile(r"/requests/REQ-\d+"))
    lead.goto("/queue")
    lead.get_by_role("button", name="Approve the run").click()
    expect(lead.get_by_text(re.compile(r"You approved REQ-\d+"))).to_be_visible()
    work_off()
    run = Run.objects.get()
    assert run.status == "queued" and airflow.state.run("payroll_close", run.dag_run_id) is not None
    airflow.set_run_states("success")
    follow_runs()
    employee.goto("/")
    notice = employee.get_by_role("region", name="Runs that have ended")
    expect(notice).to_contain_text(f"{run.ref} of payroll_close on demo succeeded")
    notice.get_by_role("button", name="Got it").click()
    expect(notice).to_have_count(0)  # without a reload
    employee.reload()
    expect(notice).to_have_count(0)


def test_a_failed_run_is_read_to_its_log_and_retried(airflow, enter):
    look_at_dags()
    colleague = enter("colleague", "/dags/demo/sales_report")
    colleague.add_init_script(HIDDEN)
    colleague.get_by_role("button", name=re.compile("^Run sales_report")).click()
    expect(colleague).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    work_off()
    main = colleague.get_by_role("main")
    colleague.get_by_role("button", name="Tell me when it is done").click()
    expect(main.get_by_text("You get a notice when it is done")).to_be_focused()
    follow_runs()
    airflow.set_run_states("failed")
    follow_runs()
    expect(main.get_by_text(re.compile("publish failed"))).to_be_visible()
    run = Run.objects.get()
    expect(colleague.locator("html")).to_have_attribute("data-noted", f"{run.ref}: sales_report failed")
    expect(colleague).to_have_title(f"sales_report failed, {run.ref} – Gatehouse")
    expect(main.get_by_text("You get a notice when it is done")).to_have_count(0)
    expect(main.get_by_text("Tell me when it is done")).to_have_count(0)
    main.get_by_role("link", name="Full log").click()
    expect(colleague).to_have_url(re.compile(r"/log\?"))
    colleague.go_back()
    main.get_by_role("button", name="Retry failed tasks").click()
    expect(main.get_by_text(re.compile(r"OP-\d+: The failed tasks are being started again"))).to_be_visible()
    work_off()
    run.refresh_from_db()
    assert not run.is_final


def test_a_pause_with_an_end(airflow, enter):
    look_at_dags()
    colleague = enter("colleague", "/dags/demo/warehouse_backup")
    main = colleague.get_by_role("main")
    main.locator("summary").filter(has_text="Pause warehouse_backup").click()
    main.get_by_role("textbox", name="Reason").fill("the disk is full")
    main.get_by_label("Until").fill(f"{clock.now() + timedelta(days=2):%Y-%m-%dT%H:%M}")
    main.get_by_role("button", name="Pause it").click()
    expect(main.get_by_text(re.compile(r"OP-\d+: The DAG is being"))).to_be_visible()
    work_off()
    expect(main.get_by_text(re.compile("Gatehouse unpauses it"))).to_be_visible()
    state = DagState.objects.get(dag__dag_id="warehouse_backup")
    assert state.unpause_at is not None and state.unpause_at > clock.now()
