"""A run's page: the log at its error, retry and cancel, results, values, and the page of a log."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

from portal.catalogue.models import Dag
from portal.dags import actions
from portal.dags.models import Run, RunTasks, TaskLog
from portal.dags.runs import wanted
from portal.operations.models import Operation
from portal.worker import human as human_reading
from portal.worker import logs as reading
from tests.factories import follow_runs, look_at_dags, person, work_off
from tests.fake_airflow import FakeQuestion
from tests.views.pages import Page

TRACEBACK = ["Traceback (most recent call last):", '  File "x.py", line 1, in publish', "ValueError: <boom>"]


@pytest.fixture
def run(airflow) -> Run:
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    made = actions.trigger(by=person("colleague"), dag=dag, conf={"region": "EU"})
    work_off()
    look_at_dags()
    return made


def follow(run: Run) -> Run:
    Run.objects.update(next_look=timezone.now())
    follow_runs()
    return Run.objects.get(pk=run.pk)


def fail(airflow, run: Run, *lines: str) -> Run:
    (there,) = airflow.state.runs
    there.logs["publish", 1] = [*lines, "Task failed with exception", *TRACEBACK]
    airflow.set_run_states("failed")
    return follow(run)


def post(client, run: Run, what: str, **data: object):
    return client.post(f"/runs/{run.ref}/{what}", data)


def test_a_failed_run_is_open_at_its_error(client_as, airflow, run):
    fail(airflow, run, "<script>alert(1)</script>")
    answer = client_as("colleague").get(f"/runs/{run.ref}")
    html = answer.content.decode()
    assert re.search(r'data-tone="refused" id="error">.{0,60}ValueError: &lt;boom&gt;</span>', html)
    assert "<script>alert(1)" not in html and "&lt;script&gt;alert(1)" in html
    assert f"/runs/{run.ref}/log?task=publish&amp;try=1" in html
    assert "Retry failed tasks" in html


def test_without_logs_in_the_catalogue_the_page_says_so(client_as, airflow, run):
    Dag.objects.update(actions=["trigger"])
    fail(airflow, run, "what nobody may read")
    for path in (f"/runs/{run.ref}", f"/runs/{run.ref}/log?task=publish&try=1"):
        page = Page(client_as("colleague").get(path))
        assert "does not allow anybody to read logs of sales_report" in page.text
        assert "what nobody may read" not in page.text
    assert client_as("colleague").get(f"/runs/{run.ref}/log.txt?task=publish&try=1").status_code == 403


def test_retry_from_the_page(client_as, airflow, run):
    run = fail(airflow, run)
    client = client_as("colleague")
    page = Page(client.get(f"/runs/{run.ref}"))
    plain = page.text.index("Retry failed tasks")
    assert page.text.index("Fix the cause, then retry it.") < plain < page.text.index("publish, try 1")
    assert "Reason" not in page.text[plain : page.text.index("Retry with a reason")], "one click is enough"
    assert post(client, run, "retry").status_code == 302
    assert "Being retried" in Page(client.get(f"/runs/{run.ref}")).text
    again = post(client, run, "retry")
    assert again.status_code == 409 and "It is not done yet" in Page(again).text
    work_off()
    assert Run.objects.get(pk=run.pk).status == "queued"


def test_chosen_tasks_run_again_from_the_page(client_as, airflow, run):
    airflow.set_run_states("success")
    run = follow(run)
    client = client_as("colleague")
    assert 'name="task" value="collect"' in client.get(f"/runs/{run.ref}").content.decode()
    nothing = post(client, run, "clear")
    assert nothing.status_code == 422 and "Choose at least one task" in Page(nothing).text
    assert post(client, run, "clear", task=["collect"]).status_code == 302
    work_off()
    assert Run.objects.get(pk=run.pk).status == "queued"


def test_cancel_from_the_page(client_as, airflow, run):
    airflow.set_run_states("running")
    run = follow(run)
    client = client_as("colleague")
    assert "Cancel this run" in Page(client.get(f"/runs/{run.ref}")).text
    refused = post(client, run, "cancel")
    assert refused.status_code == 422 and "Say why you cancel it" in Page(refused).text
    assert post(client, run, "cancel", reason="the wrong day").status_code == 302
    work_off()
    assert "Cancelled by colleague: the wrong day" in Page(client.get(f"/runs/{run.ref}")).text
    assert "Cancel this run" not in Page(client.get(f"/runs/{run.ref}")).text


def test_who_may_not_retry_reads_why(client_as, airflow, run):
    run = fail(airflow, run)
    page = Page(client_as("employee").get(f"/runs/{run.ref}"))
    assert "You may not retry runs of sales_report. Allowed: group sales." in page.text
    assert post(client_as("employee"), run, "retry").status_code == 403


def test_results_come_first_and_only_web_addresses_are_links(client_as, airflow, run):
    Dag.objects.update(results=["publish.report_url", "collect.return_value"])
    (there,) = airflow.state.runs
    there.xcoms = {("publish", "report_url"): "https://r.example.com/7", ("collect", "return_value"): "javascript:x"}
    airflow.set_run_states("success")
    follow(run)
    html = client_as("colleague").get(f"/runs/{run.ref}").content.decode()
    assert '<a href="https://r.example.com/7" rel="noopener noreferrer">' in html
    assert "javascript:x" in html and 'href="javascript:' not in html
    assert html.index('id="results"') < html.index('id="tasks-title"')


def test_values_that_are_not_the_default_are_marked(client_as, airflow, run):
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    assert "Region EU default KR" in page.text
    assert "dry_run on default" in page.text


def test_a_log_is_read_when_it_is_opened(client_as, airflow, run, monkeypatch):
    run = fail(airflow, run, *[f"line {number} {'x' * 100}" for number in range(3000)])
    told: list[tuple] = []
    monkeypatch.setattr(wanted, "tell_of_log", lambda run, *about: told.append(about))
    client, path = client_as("colleague"), f"/runs/{run.ref}/log?task=publish&try=1"
    answer = client.get(path)
    assert "Reading the log from Airflow" in Page(answer).text and "hx-get" in answer.content.decode()
    assert told == [("publish", -1, 1)]
    reading.read_whole(TaskLog.objects.get().pk)
    answer = client.get(path)
    assert "ValueError: &lt;boom&gt;" in answer.content.decode(), "the part with the error"
    assert 'hx-get="/runs' not in answer.content.decode()
    assert "line 0 x" in Page(client.get(f"{path}&part=0")).text
    assert client.get(f"{path}&part=99").status_code == 200
    text = b"".join(client.get(f"/runs/{run.ref}/log.txt?task=publish&try=1")).decode()
    assert text.count("line ") >= 3000 and "ValueError: <boom>" in text
    assert client.get(f"/runs/{run.ref}/log?task=nope&try=1").status_code == 404


def test_a_hundred_readers_cost_airflow_what_one_costs(client_as, airflow, run):
    """Pages read stored rows. Airflow is read by the worker, however many people look."""
    run = fail(airflow, run)
    reading.read_whole(TaskLog.objects.get().pk)
    before = len(airflow.requests)
    client = client_as("colleague")
    for _ in range(100):
        assert client.get(f"/runs/{run.ref}", headers={"HX-Request": "true"}).status_code == 200
    for _ in range(5):
        client.get(f"/runs/{run.ref}/log?task=publish&try=1")
    assert len(airflow.requests) == before


def test_a_run_of_two_hundred_mapped_tasks_is_one_row(client_as, airflow, run):
    rows = [
        {"task": "work", "mapped": True, "counts": {"success": 199, "failed": 1}, "failed": ["[7] no 7"], "tries": 1,
         "took": 2.0, "first_failed": 7, "max_tries": 1, "began": "2026-11-30T10:00:00+00:00", "ended": None},
    ]  # fmt: skip
    airflow.set_run_states("failed")
    run = follow(run)
    RunTasks.objects.update(rows=rows)
    page = Page(client_as("colleague").get(f"/runs/{run.ref}"))
    assert "work[7], try 1" in page.text and "failed: [7] no 7" in page.text and "199 success" in page.text


def test_tasks_that_wait_for_a_person_are_listed_at_home(client_as, airflow, run):
    airflow.ask(FakeQuestion("sales_report", run.dag_run_id, "publish", "Publish the figures?", ["Yes", "No"]))
    human_reading.read(run.dag.deployment)
    html = client_as("colleague").get("/").content.decode()
    assert "Publish the figures?" in html and "/tasks/publish/required_actions" in html
    assert "Publish the figures?" not in client_as("stranger").get("/").content.decode()


def test_a_retry_with_a_reason_that_is_too_long_keeps_what_was_typed(client_as, airflow, run):
    run = fail(airflow, run)
    refused = post(client_as("colleague"), run, "retry", reason="x" * 301)
    page = Page(refused)
    assert refused.status_code == 422 and "at most 300 are allowed" in page.text
    assert post(client_as("colleague"), run, "retry", reason="open again").status_code == 302
    assert Operation.objects.get(kind="retry_run").payload["reason"] == "open again"
