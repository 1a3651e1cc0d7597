"""Logs, results and waiting tasks: what the worker reads of them, and what is stored."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from airflow_bridge import LogLine
from portal.catalogue.models import Dag, Deployment
from portal.core.errors import Missing
from portal.dags import actions, human
from portal.dags.models import Run, RunTasks, TaskLog, TaskLogPart, WaitingTask
from portal.dags.runs import logs, results
from portal.worker import human as human_reading
from portal.worker import logs as reading
from tests import factories
from tests.fake_airflow import FakeDag, FakeQuestion

LOG = "GET .*/logs/.*"


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    return request.param


@pytest.fixture
def run(airflow, cast):
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "EU"})
    factories.work_off()
    return run


def follow(run):
    Run.objects.update(next_look=timezone.now())
    factories.follow_runs()
    return Run.objects.select_related("tasks", "dag__deployment").get(pk=run.pk)


def fail(airflow, run, *lines, **task_states):
    (there,) = airflow.state.runs
    there.task_states = task_states
    traceback = ["Traceback (most recent call last):", '  File "x.py", line 1, in publish', "ValueError: boom: closed"]
    there.logs["publish", 1] = [*lines, "Task failed with exception", *traceback]
    airflow.set_run_states("failed")
    return follow(run)


def test_the_log_around_the_error_is_stored_once_at_the_end_of_a_failed_run(airflow, run):
    before = [f"line {number}" for number in range(100)]
    run = fail(airflow, run, *before)
    (kept,) = TaskLog.objects.all()
    assert (kept.task_id, kept.map_index, kept.try_number, kept.problem) == ("publish", -1, 1, "")
    marked = kept.excerpt[kept.error_at - kept.excerpt_from]
    assert marked == "ValueError: boom: closed"
    assert "line 99" in kept.excerpt and "line 10" not in kept.excerpt
    assert len(kept.excerpt) <= logs.WHOLE
    assert not TaskLogPart.objects.exists(), "the whole log is read only if somebody opens it"
    follow(run)
    follow(run)
    assert len(airflow.calls(LOG)) == 1


def test_a_new_end_has_a_new_log(airflow, run):
    fail(airflow, run)
    (there,) = airflow.state.runs
    airflow.state.clear_tasks(airflow.state.to_clear(there, ["publish"], False), reset_runs=True)
    follow(run)
    there.logs["publish", 2] = ["again", "Task failed with exception", "KeyError: 'x'"]
    airflow.set_run_states("failed")
    follow(run)
    assert {kept.try_number for kept in TaskLog.objects.all()} == {1, 2}


def test_no_log_is_read_where_the_catalogue_does_not_offer_logs(airflow, run):
    Dag.objects.update(actions=["trigger"])
    run = fail(airflow, run)
    assert not TaskLog.objects.exists() and not airflow.calls(LOG)
    assert logs.why_no_logs(run) == "The catalogue does not allow anybody to read logs of sales_report in Gatehouse."
    reading.want(run.pk, "publish", -1, 1)
    assert not airflow.calls(LOG)


def test_an_account_that_may_not_read_logs_says_which_permission_lacks(airflow, run):
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_read", "Task Logs"))
    run = fail(airflow, run)
    assert run.status == "failed"
    assert "can_read on Task Logs" in TaskLog.objects.get().problem


def test_credentials_colours_and_control_characters_are_not_stored(airflow, run):
    key = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEpAIBAAKCAQEA", "-----END RSA PRIVATE KEY-----", "after"]
    fail(airflow, run, "\x1b[31mred\x1b[0m\x07", "postgres://u:hunter2hunter2@db/x", *key, "<b>bold</b>")
    text = "\n".join(TaskLog.objects.get().excerpt)
    assert "red" in text and "\x1b" not in text and "\x07" not in text and "after" in text
    assert "hunter2" not in text and "MIIEpAIBAAKCAQEA" not in text
    assert "<b>bold</b>" in text, "escaped by the page, not here"


def test_a_whole_log_is_stored_in_parts_and_deleted_later(airflow, run):
    run = fail(airflow, run, *[f"line {number} {'x' * 100}" for number in range(5000)])
    kept = TaskLog.objects.get()
    reading.read_whole(kept.pk)
    reading.want(run.pk, "publish", -1, 1)  # it is stored already
    kept.refresh_from_db()
    assert kept.parts.count() > 3
    text = "".join(logs.stream(kept))
    assert text.count("\n") == kept.lines and "line 4999" in text and text.count("line 17 ") == 1
    first = kept.parts.get(number=1)
    assert text.splitlines()[first.first_line - 1] == logs.text_of(first).splitlines()[0]
    assert len(airflow.calls(LOG)) == 2
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        logs.forget()
    assert not TaskLogPart.objects.exists()
    kept.refresh_from_db()
    assert kept.excerpt and kept.kept_until is None


def test_only_the_newest_whole_logs_are_kept(airflow, run, monkeypatch):
    fail(airflow, run)
    monkeypatch.setattr(logs, "MOST_KEPT", 0)
    reading.read_whole(TaskLog.objects.get().pk)
    logs.forget()
    assert not TaskLogPart.objects.exists()


def test_a_log_that_is_too_long_is_cut(airflow, run, monkeypatch):
    monkeypatch.setattr(logs, "LARGEST", 1000)
    fail(airflow, run, *["x" * 90] * 50)
    kept = TaskLog.objects.get()
    assert kept.cut and kept.lines < 20


def test_a_log_that_breaks_off_is_not_shown_as_whole(airflow, run):
    fail(airflow, run, *["x" * 90] * 50)
    kept = TaskLog.objects.get()
    airflow.fail_next(LOG, "half")
    reading.read_whole(kept.pk)
    kept.refresh_from_db()
    assert "could not be read" in kept.problem and kept.kept_until is None and not kept.parts.exists()


@pytest.mark.parametrize(("task", "index", "attempt"), [("nope", -1, 1), ("publish", -1, 2), ("publish", 0, 1)])
def test_only_attempts_of_the_run_are_read(airflow, run, task, index, attempt):
    run = fail(airflow, run)
    with pytest.raises(Missing):
        reading.want(run.pk, task, index, attempt)


def test_the_instance_that_failed_first_is_shown(airflow, cast):
    airflow.state.dags["sales_report"] = FakeDag("sales_report", tasks=("work",), mapped={"work": 200})
    dag = Dag.objects.select_related("deployment").get(dag_id="sales_report")
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={})
    factories.work_off()
    (there,) = airflow.state.runs
    there.task_states = {"work": "success", "work[7]": "failed"}
    airflow.set_run_states("failed")
    follow(run)
    (row,) = RunTasks.objects.get().rows
    assert (row["counts"], row["first_failed"]) == ({"success": 199, "failed": 1}, 7)
    assert TaskLog.objects.get().map_index == 7


# --- results ---------------------------------------------------------------------------------------------------------
def test_the_results_that_the_catalogue_names_are_read_once_at_the_end(airflow, run):
    Dag.objects.update(results=["publish.report_url", "collect.return_value", "collect.nothing", "collect.api_key"])
    (there,) = airflow.state.runs
    there.xcoms = {
        ("publish", "report_url"): "https://reports.example.com/7",
        ("collect", "return_value"): {"rows": 42, "password": "hunter2"},
        ("collect", "api_key"): "abcdef",
    }
    airflow.set_run_states("success")
    follow(run)
    follow(run)
    found = {row["name"]: row for row in RunTasks.objects.get().results}
    assert found["publish.report_url"]["value"] == "https://reports.example.com/7"
    assert '"rows": 42' in found["collect.return_value"]["value"]
    assert found["collect.nothing"]["problem"] == "The run has no such result."
    assert "hunter2" not in str(found) and "abcdef" not in str(found)
    assert len(airflow.calls("GET .*/xcomEntries/.*")) == 4


def test_an_account_that_may_not_read_results_says_which_permission_lacks(airflow, run):
    Dag.objects.update(results=["collect.return_value"])
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_read", "XComs"))
    airflow.set_run_states("success")
    assert follow(run).status == "success"
    assert "can_read on XComs" in RunTasks.objects.get().results[0]["problem"]


@pytest.mark.parametrize(
    ("value", "is_link"),
    [
        ("https://reports.example.com/7?x=1", True),
        ("http://10.0.0.1:8080/", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://user:password@example.com/", False),
        ("https://example.com/a b", False),
        ("https://", False),
        ("//example.com", False),
        ("https://[::1", False),
    ],
)
def test_only_addresses_of_the_web_are_links(value, is_link):
    assert bool(results.link(value)) is is_link


# --- tasks that wait for a person ------------------------------------------------------------------------------------
@pytest.mark.parametrize("release", ["3.3.2"], indirect=True)
def test_waiting_tasks_are_stored_until_they_are_answered(airflow, run, cast):
    deployment = Deployment.objects.get()
    airflow.ask(FakeQuestion("sales_report", run.dag_run_id, "publish", "Publish the figures?", ["Yes", "No"]))
    human_reading.read(deployment)
    (task,) = human.waiting_for(cast["colleague"])
    assert (task.subject, task.options) == ("Publish the figures?", ["Yes", "No"])
    assert human.airflow_url(task).endswith(f"/dags/sales_report/runs/{run.dag_run_id}/tasks/publish/required_actions")
    assert not human.waiting_for(cast["stranger"])
    since = task.since
    human_reading.read(deployment)
    assert WaitingTask.objects.get().since == since
    airflow.state.questions.clear()
    human_reading.read(deployment)
    assert not WaitingTask.objects.exists()


@pytest.mark.parametrize("release", ["3.3.2"], indirect=True)
def test_waiting_tasks_of_other_dags_do_not_take_the_place(airflow, run, monkeypatch):
    monkeypatch.setattr(human_reading, "MOST", 1)
    there = airflow.state.runs[0]
    airflow.state.dags["other"] = FakeDag("other")
    airflow.state.runs.append(replace(there, dag_id="other", task_states={}))
    airflow.ask(FakeQuestion("other", there.dag_run_id, "work", "And this?", ["Yes"]))
    airflow.ask(FakeQuestion("sales_report", run.dag_run_id, "publish", "Publish?", ["Yes"]))
    human_reading.read(Deployment.objects.get())
    assert WaitingTask.objects.get().subject == "Publish?"


@pytest.mark.parametrize("release", ["3.3.2"], indirect=True)
def test_what_a_waiting_task_says_is_bounded_and_without_secrets(airflow, run):
    options = ["https://me:hunter2@example.com/", "x" * 400, *map(str, range(30))]
    airflow.ask(FakeQuestion("sales_report", run.dag_run_id, "publish", " ", options))
    human_reading.read(Deployment.objects.get())
    task = WaitingTask.objects.get()
    assert task.subject == "publish"
    assert task.options == ["***", "x" * 300, *map(str, range(18)), "…"]


@pytest.mark.parametrize("release", ["3.3.2"], indirect=True)
def test_without_the_permission_waiting_tasks_are_not_listed(airflow, run):
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_read", "HITL Detail"))
    human_reading.read(Deployment.objects.get())
    assert not WaitingTask.objects.exists()


def test_an_airflow_without_waiting_tasks_is_not_asked(airflow, run, release):
    assert human_reading.has_them(Deployment.objects.get()) is (release == "3.3.2")


def test_line_text_is_bounded():
    shown = logs.Cleaner().shown("x" * 10_000)
    assert len(shown) < 2100 and shown.endswith("(8000 more characters)")
    assert LogLine("x").text == "x"
