"""Runs by the API: listed, with tasks, logs and results, retried and cancelled."""

from __future__ import annotations

import json

import pytest

from airflow_bridge import LogLine
from portal.dags.models import RunTasks, TaskLog
from portal.dags.runs import logs
from portal.operations.models import Operation
from tests.api.conftest import refused
from tests.factories import run_in_airflow

pytestmark = pytest.mark.usefixtures("catalogue")


def items(answer) -> list[dict]:
    return json.loads(answer.content)["items"]


def test_runs_are_listed_by_dag_status_and_requester(as_) -> None:
    failed, running = run_in_airflow("failed"), run_in_airflow("running")
    program = as_("colleague")
    assert [run["id"] for run in items(program.get("/runs"))] == [running.ref, failed.ref]
    assert [run["id"] for run in items(program.get("/runs?status=failed&dag=demo/sales_report"))] == [failed.ref]
    assert items(program.get("/runs?dag=demo/payroll_close")) == []
    assert items(as_("employee").get("/runs?mine=true")) == []
    refused(program.get("/runs?status=nonsense"), 422, "invalid", "status")


def test_tasks_and_results(as_) -> None:
    run = run_in_airflow("success")
    RunTasks.objects.update(results=[{"name": "collect.return_value", "value": "42", "problem": ""}])
    told = json.loads(as_("colleague").get(f"/runs/{run.ref}/tasks").content)
    assert [(task["task_id"], task["states"], task["tries"]) for task in told["tasks"]] == [
        ("collect", {"success": 1}, 1),
        ("publish", {"success": 1}, 1),
    ]
    assert told["results"] == [{"name": "collect.return_value", "value": "42", "problem": None}]


def test_the_log_of_an_attempt(as_, airflow_lines) -> None:
    run = run_in_airflow("failed")
    program, path = as_("colleague"), f"/runs/{run.ref}/tasks/publish/log"
    assert json.loads(program.get(path).content)["read_at"] is None
    kept = TaskLog.objects.create(run=run, task_id="publish", try_number=1)
    logs.store(kept, airflow_lines("before", "ValueError: boom"), whole=False, ended=True)
    told = json.loads(program.get(f"{path}?try=1").content)
    assert (told["lines"], told["error_line"], told["total_lines"]) == (["before", "ValueError: boom"], 2, 2)
    refused(program.get(f"{path}?try=2"), 404, "not_found")
    run.dag.actions = ["trigger"]
    run.dag.save(update_fields=["actions"])
    refused(program.get(path), 403, "not_offered")


def test_a_run_is_retried_and_cancelled(as_) -> None:
    program = as_("colleague")
    failed, running = run_in_airflow("failed"), run_in_airflow("running")
    answer = json.loads(program.post(f"/runs/{failed.ref}/retry", {}).content)
    assert (answer["kind"], answer["subject"], answer["status"]) == ("retry_run", failed.ref, "queued")
    refused(program.post(f"/runs/{failed.ref}/retry", {"tasks": ["publish"]}), 409, "conflict")
    refused(program.post(f"/runs/{running.ref}/cancel", {}), 422, "invalid", "reason")
    answer = json.loads(program.post(f"/runs/{running.ref}/cancel", {"reason": "the wrong day"}).content)
    assert answer["kind"] == "cancel_run"
    done = run_in_airflow("success")
    refused(program.post(f"/runs/{done.ref}/cancel", {"reason": "why"}), 409, "conflict")
    refused(program.post(f"/runs/{done.ref}/retry", {"tasks": ["nope"]}), 422, "invalid", "tasks")
    program.post(f"/runs/{done.ref}/retry", {"tasks": ["collect"]})
    assert Operation.objects.get(kind="clear_task").payload["tasks"] == ["collect"]


@pytest.fixture
def airflow_lines():
    return lambda *texts: [LogLine(text, is_error="Error" in text) for text in texts]
