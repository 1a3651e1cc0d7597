"""Runs in a real Airflow to their end: logs and results are read, runs are cancelled, retried and cleared."""

from __future__ import annotations

import json

import pytest

from portal.dags import actions
from portal.dags.models import TaskLog
from portal.dags.runs import logs, run_actions
from portal.worker import logs as worker_logs
from tests import factories
from tests.real.conftest import STILL, until

pytestmark = pytest.mark.django_db


def rows(run):
    """Of each task its states and its tries."""
    run.tasks.refresh_from_db()
    return {row["task"]: (row["counts"], row["tries"]) for row in run.tasks.rows}


def results(run):
    return {one["name"]: one["value"] or one["problem"] for one in run.tasks.results}


def settled(operation):
    operation.refresh_from_db()
    return operation.status


def whole_log(run, task, attempt):
    """As the worker reads it when somebody opens it."""
    kept, _ = TaskLog.objects.get_or_create(run=run, task_id=task, map_index=-1, try_number=attempt)
    worker_logs.read_whole(kept.pk)
    return "".join(logs.stream(kept))


def test_runs_are_followed_retried_and_cleared(cast, airflow, dag):
    """One that fails until it is retried, one that Airflow itself tries again, one that succeeds and is cleared."""
    colleague = cast["colleague"]
    retried, flaky, cleared = (
        actions.trigger(by=colleague, dag=dag(name), conf=conf)
        for name, conf in (("contract_retried", {}), ("flaky_import", {}), ("sales_report", {"region": "KR"}))
    )
    factories.work_off()

    until(retried, "failed")
    assert rows(retried) == {"first": ({"failed": 1}, 1), "second": ({"upstream_failed": 1}, 0)}
    log = TaskLog.objects.get(run=retried)
    error = log.excerpt[log.error_at - log.excerpt_from]
    assert (log.task_id, log.try_number, log.problem) == ("first", 1, "")
    assert "ValueError: the first try fails" in error or "Task failed with exception" in error
    assert "the first line: ünïcode" in whole_log(retried, "first", 1)
    assert results(retried)["first.return_value"] == "The run has no such result."
    retry = run_actions.retry(by=colleague, run=retried, reason="the partner is back")

    until(cleared, "success")
    assert rows(cleared) == {"collect": ({"success": 1}, 1), "publish": ({"success": 1}, 1)}
    assert results(cleared) == {"collect.return_value": "42"}
    clear = run_actions.clear_tasks(by=colleague, run=cleared, tasks=["publish"], reason="once more")

    factories.work_off()
    assert (settled(retry), settled(clear)) == ("succeeded", "succeeded")
    until(retried, "success")
    assert rows(retried) == {"first": ({"success": 1}, 2), "second": ({"success": 1}, 1)}
    shown = results(retried)
    assert json.loads(shown.pop("first.return_value")) == {"rows": 42, "parts": ["a", None]}
    assert shown == {
        "first.address": "https://reports.example.com/42",
        "second.nothing": "The run has no such result.",
    }
    assert "the partner is back" in airflow.run("contract_retried", retried.dag_run_id).note
    until(cleared, "success")
    assert rows(cleared) == {"collect": ({"success": 1}, 1), "publish": ({"success": 1}, 2)}

    until(flaky, "success")
    assert rows(flaky) == {"fetch": ({"success": 1}, 2), "load": ({"success": 1}, 1)}
    assert "partner.example.com refused the connection" in whole_log(flaky, "fetch", 1)


@pytest.mark.parametrize(("state", "word"), [("success", "succeeded"), ("failed", "failed")])
def test_the_cancel_of_a_run_that_has_ended_changes_nothing(cast, airflow, raw, dag, state, word):
    """Somebody ends it in Airflow after the portal has last seen it going on."""
    run = actions.trigger(by=cast["colleague"], dag=dag(STILL), conf={})
    factories.work_off()
    operation = run_actions.cancel(by=cast["colleague"], run=run, reason="the wrong day")
    raw.patch(f"/dags/{STILL}/dagRuns/{run.dag_run_id}", {"state": state})
    before = airflow.run(STILL, run.dag_run_id)
    tasks = airflow.task_instances(STILL, run.dag_run_id)
    assert before.is_final
    factories.work_off()
    assert airflow.run(STILL, run.dag_run_id) == before
    assert airflow.task_instances(STILL, run.dag_run_id) == tasks
    operation.refresh_from_db()
    assert operation.status == "failed"
    assert f"had already ended ({word} on " in operation.error and "left as it is" in operation.error
    assert until(run, state).ended_at == before.ended_at
