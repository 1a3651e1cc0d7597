"""Running and pausing DAGs, and following a run live."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from portal.dags.models import Run
from tests.factories import follow_runs, work_off


def open_dag(page: Page, dag_id: str) -> None:
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="DAGs").click()
    page.get_by_role("link", name=dag_id, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(dag_id)


def test_started_with_parameters_and_followed_to_its_failure(airflow, enter):
    colleague = enter("colleague")
    open_dag(colleague, "sales_report")
    # what the DAG takes comes from Airflow itself
    expect(colleague.get_by_role("group", name="Region").get_by_role("radio")).to_have_count(3)
    colleague.get_by_role("button", name="Edit as JSON").click()
    parameters = colleague.get_by_role("textbox", name="Parameters")
    parameters.fill('{"region": "EU",}')
    run_it = colleague.get_by_role("button", name=re.compile("^(Run|Start)"))
    run_it.click()
    expect(colleague.get_by_role("alert")).to_contain_text("line 1")
    parameters.fill('{"region": "EU"}')
    run_it.click()
    expect(colleague).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    run = Run.objects.get()
    work_off()
    live = colleague.get_by_role("main")
    expect(live).to_contain_text("queued")
    airflow.set_run_states("running")
    follow_runs()
    expect(live.get_by_role("row", name=re.compile("collect"))).to_contain_text("running")
    airflow.set_run_states("failed")
    follow_runs()
    expect(live.get_by_text(re.compile("publish failed"))).to_be_visible()  # without a reload
    seen = airflow.state.run("sales_report", run.dag_run_id)
    assert seen is not None and seen.conf == {"region": "EU"}
    assert "colleague" in seen.note and run.ref in seen.note
    run.refresh_from_db()
    assert run.status == "failed"


def test_paused_with_a_reason_and_unpaused(airflow, enter):
    colleague = enter("colleague")
    open_dag(colleague, "warehouse_backup")
    main = colleague.get_by_role("main")
    for verb, paused in (("Pause", True), ("Unpause", False)):
        main.locator("summary").filter(has_text=f"{verb} warehouse_backup").click()
        main.get_by_role("textbox", name="Reason").fill("the disk is full")
        main.get_by_role("button", name=f"{verb} it").click()
        expect(main.get_by_text(re.compile(r"OP-\d+: The DAG is being"))).to_be_visible()
        work_off()
        # the page sees it by itself
        state = "Paused in Airflow" if paused else "Active in Airflow"
        expect(main.get_by_role("heading", name=state)).to_be_visible()
        expect(main.locator("summary").filter(has_text="ause warehouse_backup")).to_be_visible()
        assert airflow.state.dags["warehouse_backup"].paused is paused


def test_who_needs_an_approval_reads_why(airflow, enter):
    employee = enter("employee", "/dags/demo/payroll_close")
    expect(employee.get_by_role("main")).to_contain_text("lead or lead2 decides", ignore_case=True)
    expect(employee.get_by_role("button", name=re.compile("^(Run|Start)"))).to_have_count(0)


def test_pressed_twice_it_runs_once(airflow, enter):
    colleague = enter("colleague", "/dags/demo/flaky_import")
    colleague.get_by_role("button", name=re.compile("^(Run|Start)")).dblclick()
    expect(colleague).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    colleague.go_back()
    colleague.get_by_role("button", name=re.compile("^(Run|Start)")).click()
    expect(colleague).to_have_url(re.compile(r"/runs/RUN-\d+$"))
    work_off()
    assert len(airflow.state.runs) == Run.objects.count() <= 2


def test_the_page_stands_while_airflow_is_away(airflow, enter):
    airflow.stop()
    colleague = enter("colleague", "/dags/demo/sales_report")
    main = colleague.get_by_role("main")
    # what it takes is known from before, and of when that is stands beside it
    expect(main.get_by_role("group", name="Region").get_by_role("radio")).to_have_count(3)
    expect(main.get_by_text(re.compile("read from Airflow"))).to_be_visible()
