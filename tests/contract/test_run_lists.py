"""Lists of runs and of tasks: the newest first, all of them, and only those asked for."""

from __future__ import annotations

from itertools import islice

import pytest

from airflow_bridge import Airflow
from tests.contract.conftest import now
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


def start(airflow: Airflow, count: int, dag_id: str = IDLE) -> list[str]:
    """The ids, the newest first."""
    ids = [unique(f"g{number}__") for number in range(count)]
    for run_id in ids:
        airflow.trigger(dag_id, dag_run_id=run_id, logical_date=now())
    return ids[::-1]


@pytest.mark.everywhere
def test_the_newest_run_is_first(runner: Airflow) -> None:
    ids = start(runner, 3)
    assert [run.dag_run_id for run in runner.recent_runs(IDLE, 2)] == ids[:2]
    assert [run.dag_run_id for run in islice(runner.runs(IDLE), 3)] == ids


@pytest.mark.everywhere
@pytest.mark.once
def test_runs_page_by_page(runner: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = start(runner, 5)
    monkeypatch.setattr("airflow_bridge.calls.part.SIZE", 2)
    assert [run.dag_run_id for run in islice(runner.runs(IDLE), 5)] == ids


@pytest.mark.once
def test_runs_that_start_while_they_are_read(runner: Airflow, fake: FakeAirflow) -> None:
    """What is in the list all the time is given once."""
    ids = start(runner, 150)
    reading = runner.runs(IDLE)
    found = [next(reading).dag_run_id for _ in range(50)]
    start(runner, 7)
    found += [run.dag_run_id for run in reading]
    assert [run_id for run_id in found if run_id in set(ids)] == ids


@pytest.mark.everywhere
@pytest.mark.once
def test_runs_of_all_dags(runner: Airflow) -> None:
    mine = {(IDLE, start(runner, 1)[0]), ("contract_wide", start(runner, 1, "contract_wide")[0])}
    assert mine <= {(run.dag_id, run.dag_run_id) for run in islice(runner.runs(), 10)}


@pytest.mark.everywhere
@pytest.mark.once
def test_runs_in_a_state(runner: Airflow) -> None:
    waiting, cancelled = start(runner, 2)
    runner.cancel(IDLE, cancelled)
    queued = {run.dag_run_id for run in runner.runs(IDLE, state="queued")}
    failed = {run.dag_run_id for run in runner.runs(IDLE, state="failed")}
    assert waiting in queued - failed
    assert cancelled in failed - queued


@pytest.mark.everywhere
@pytest.mark.once
def test_more_tasks_than_airflow_gives_at_once(runner: Airflow, server: Server) -> None:
    run_id = start(runner, 1, "contract_wide")[0]
    tasks = runner.task_instances("contract_wide", run_id)
    assert sorted(task.task_id for task in tasks) == [f"work_{number:03}" for number in range(120)]
    assert {(task.state, task.try_number, task.started_at, task.duration) for task in tasks} == {(None, 0, None, None)}
    # what Airflow itself does: it gives fewer than it was asked for, and says nothing; this list only since 3.3 or so
    most = 100 if server.target.release.startswith("3.3") else 120
    answer = Raw(server, *server.runner).get(f"/dags/contract_wide/dagRuns/{run_id}/taskInstances?limit=1000")
    assert answer.status == 200
    assert (len(answer.json["task_instances"]), answer.json["total_entries"]) == (most, 120)
