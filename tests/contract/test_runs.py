"""Runs: started once however often asked, followed to their end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotFound, Rejected
from tests.contract.conftest import now
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


def test_a_run_is_started_as_asked(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()
    note = "asked by Zoë (REQ-1)"
    run = runner.trigger("sales_report", dag_run_id=run_id, conf={"region": "APAC"}, logical_date=when, note=note)
    assert (run.dag_id, run.dag_run_id, run.logical_date) == ("sales_report", run_id, when)
    assert (run.conf, run.note, run.state) == ({"region": "APAC"}, note, "queued")
    assert run.queued_at is not None
    assert run.queued_at.utcoffset() == timedelta(0)
    found = runner.run("sales_report", run_id)
    assert found is not None
    assert (found.conf, found.note, found.logical_date) == (run.conf, note, when)


def test_a_run_is_started_once(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()
    first = runner.trigger("sales_report", dag_run_id=run_id, conf={}, logical_date=when)
    again = runner.trigger("sales_report", dag_run_id=run_id, conf={}, logical_date=when)
    assert (again.dag_run_id, again.queued_at) == (first.dag_run_id, first.queued_at)
    assert [run.dag_run_id for run in runner.recent_runs("sales_report", 100)].count(run_id) == 1


def test_a_run_is_started_once_by_many_at_once(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()

    def trigger(_: int) -> str:
        return runner.trigger("sales_report", dag_run_id=run_id, conf={}, logical_date=when).dag_run_id

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(trigger, range(4))) == {run_id}
    assert [run.dag_run_id for run in runner.recent_runs("sales_report", 100)].count(run_id) == 1


def test_a_taken_logical_date_is_a_conflict_in_words(runner: Airflow) -> None:
    when = now()
    runner.trigger("sales_report", dag_run_id=unique("gatehouse__"), conf={}, logical_date=when)
    other = unique("gatehouse__")
    with pytest.raises(Conflict, match="same logical date"):
        runner.trigger("sales_report", dag_run_id=other, conf={}, logical_date=when)
    assert runner.run("sales_report", other) is None


@pytest.mark.parametrize(
    ("conf", "field"),
    [({"region": "XX"}, "region"), ({"dry_run": "perhaps"}, "dry_run"), ({"region": float("nan")}, None)],
)
def test_parameters_that_the_dag_does_not_take(runner: Airflow, conf: dict, field: str | None) -> None:
    run_id = unique("gatehouse__")
    with pytest.raises(Rejected) as caught:
        runner.trigger("sales_report", dag_run_id=run_id, conf=conf, logical_date=now())
    assert caught.value.field == field
    assert runner.run("sales_report", run_id) is None


@pytest.mark.parametrize("run_id", ["", "~", "with space", "with/slash", "é", "x" * 251])
def test_an_id_that_airflow_cannot_keep(runner: Airflow, run_id: str) -> None:
    with pytest.raises(Rejected) as caught:
        runner.trigger("sales_report", dag_run_id=run_id, conf={}, logical_date=now())
    assert caught.value.field == "dag_run_id"


def test_an_id_that_is_airflows_own(runner: Airflow) -> None:
    with pytest.raises(Rejected, match="reserved"):
        runner.trigger("sales_report", dag_run_id=unique("scheduled_"), conf={}, logical_date=now())


def test_a_logical_date_needs_a_time_zone(runner: Airflow) -> None:
    with pytest.raises(Rejected, match="time zone"):
        runner.trigger("sales_report", dag_run_id="x", conf={}, logical_date=now().replace(tzinfo=None))


def test_a_long_note_is_cut(runner: Airflow) -> None:
    run = runner.trigger("sales_report", dag_run_id=unique("g__"), conf={}, logical_date=now(), note="n" * 2000)
    assert run.note == "n" * 999 + "…"


def test_no_such_dag(runner: Airflow) -> None:
    with pytest.raises(NotFound):
        runner.trigger("no_such_dag", dag_run_id="x", conf={}, logical_date=now())
    with pytest.raises(NotFound):
        runner.recent_runs("no_such_dag")
    with pytest.raises(NotFound):
        runner.recent_runs("~")
    assert runner.run("no_such_dag", "x") is None


def test_no_such_run(runner: Airflow) -> None:
    assert runner.run("sales_report", "no_such_run") is None
    with pytest.raises(NotFound):
        runner.task_instances("sales_report", "no_such_run")


def test_ids_with_every_sign_that_airflow_takes(runner: Airflow) -> None:
    run_id = unique("a.b~c:d+e-f_")
    runner.trigger("sales_report", dag_run_id=run_id, conf={}, logical_date=now())
    run = runner.run("sales_report", run_id)
    assert run is not None
    assert run.dag_run_id == run_id


def test_the_newest_run_is_first(runner: Airflow) -> None:
    ids = [unique(f"g{number}__") for number in range(3)]
    for run_id in ids:
        runner.trigger("every_param", dag_run_id=run_id, conf={}, logical_date=now())
    assert [run.dag_run_id for run in runner.recent_runs("every_param", 2)] == [ids[2], ids[1]]


def test_a_run_that_succeeds(runner: Airflow, server) -> None:
    run = runner.trigger("sales_report", dag_run_id=unique("g__"), conf={"region": "KR"}, logical_date=now())
    done = server.finish(runner, run, "success")
    assert done.state == "success"
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at
    tasks = runner.task_instances("sales_report", run.dag_run_id)
    assert {(task.task_id, task.state, task.map_index, task.try_number) for task in tasks} == {
        ("collect", "success", -1, 1),
        ("publish", "success", -1, 1),
    }
    assert all(task.duration is not None and task.started_at and task.ended_at for task in tasks)


def test_a_run_that_fails(runner: Airflow, server) -> None:
    run = runner.trigger("sales_report", dag_run_id=unique("g__"), conf={"region": "EU"}, logical_date=now())
    assert server.finish(runner, run, "failed").state == "failed"
    tasks = {task.task_id: task.state for task in runner.task_instances("sales_report", run.dag_run_id)}
    assert tasks == {"collect": "success", "publish": "failed"}


def test_the_tasks_of_a_waiting_run(runner: Airflow) -> None:
    """Of a paused DAG nothing begins, but its tasks are known. Only this test pauses flaky_import."""
    runner.set_paused("flaky_import", True)
    try:
        run = runner.trigger("flaky_import", dag_run_id=unique("g__"), conf={}, logical_date=now())
        tasks = runner.task_instances("flaky_import", run.dag_run_id)
        assert {(task.task_id, task.state, task.try_number, task.started_at) for task in tasks} == {
            ("fetch", None, 0, None),
            ("load", None, 0, None),
        }
        found = runner.run("flaky_import", run.dag_run_id)
        assert found is not None
        assert (found.state, found.started_at) == ("queued", None)
    finally:
        runner.set_paused("flaky_import", False)


def test_the_granter_runs_nothing(granter: Airflow, runner: Airflow) -> None:
    run = runner.trigger("sales_report", dag_run_id=unique("g__"), conf={}, logical_date=now())
    for call in (
        lambda: granter.trigger("sales_report", dag_run_id=unique("g__"), conf={}, logical_date=now()),
        lambda: granter.run("sales_report", run.dag_run_id),
        lambda: granter.recent_runs("sales_report"),
        lambda: granter.task_instances("sales_report", run.dag_run_id),
    ):
        with pytest.raises(Forbidden):
            call()
