"""What becomes of runs: they succeed or fail, are cancelled, tried again and waited for."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from airflow_bridge import Airflow, Conflict, NotApplied, NotFinished, NotFound, Rejected, Run, Unreachable
from tests.contract.conftest import now
from tests.contract.servers import IDLE, Server, wait_until
from tests.fake_airflow import FakeAirflow, FakeDag
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]


def start(airflow: Airflow, dag_id: str, **conf: object) -> Run:
    return airflow.trigger(dag_id, dag_run_id=unique("g__"), conf=conf, logical_date=now())


def states(airflow: Airflow, run: Run) -> dict[str, str | None]:
    return {task.task_id: task.state for task in airflow.task_instances(run.dag_id, run.dag_run_id)}


@pytest.mark.everywhere
def test_a_run_that_succeeds(runner: Airflow, server: Server) -> None:
    run = start(runner, "sales_report", region="KR")
    done = server.finish(runner, run, "success")
    assert (done.state, done.is_final) == ("success", True)
    assert done.started_at is not None
    assert done.ended_at is not None
    assert done.started_at <= done.ended_at
    tasks = runner.task_instances("sales_report", run.dag_run_id)
    assert {(task.task_id, task.state, task.map_index, task.try_number) for task in tasks} == {
        ("collect", "success", -1, 1),
        ("publish", "success", -1, 1),
    }
    assert all(task.duration is not None and task.started_at and task.ended_at for task in tasks)
    assert runner.wait("sales_report", run.dag_run_id, timeout=60).state == "success"
    # a run that has ended is not cancelled: Airflow itself would turn its success into a failure
    with pytest.raises(Conflict, match="already ended"):
        runner.cancel("sales_report", run.dag_run_id)
    found = runner.run("sales_report", run.dag_run_id)
    assert found is not None
    assert (found.state, found.ended_at) == ("success", done.ended_at)


@pytest.mark.once
def test_a_run_that_fails_is_tried_again(runner: Airflow, server: Server) -> None:
    run = start(runner, "sales_report", region="EU")
    failed = server.finish(runner, run, "failed")
    assert failed.state == "failed"
    assert states(runner, run) == {"collect": "success", "publish": "failed"}
    again = runner.clear("sales_report", run.dag_run_id)
    assert not again.is_final  # by itself Airflow would only have said what it would do
    with pytest.raises(Conflict, match="not ended yet"):
        runner.clear("sales_report", run.dag_run_id)
    ended = server.finish(runner, run, "failed")
    assert ended.ended_at is not None
    assert failed.ended_at is not None
    assert ended.ended_at > failed.ended_at
    tries = {task.task_id: task.try_number for task in runner.task_instances("sales_report", run.dag_run_id)}
    assert tries == {"collect": 1, "publish": 2}  # what had succeeded was left alone


def test_all_of_a_run_is_done_again(runner: Airflow) -> None:
    """Of a paused DAG, so that it stays where it was put."""
    run = start(runner, IDLE)
    runner.cancel(IDLE, run.dag_run_id)
    assert runner.clear(IDLE, run.dag_run_id, only_failed=False).state == "queued"


def test_a_task_that_succeeds_at_the_second_try(runner: Airflow, server: Server) -> None:
    run = start(runner, "flaky_import")
    assert server.finish(runner, run, "success").state == "success"
    tries = {task.task_id: (task.state, task.try_number) for task in runner.task_instances(run.dag_id, run.dag_run_id)}
    assert tries == {"fetch": ("success", 2), "load": ("success", 1)}
    for attempt, refused in ((1, True), (2, False)):
        part = runner.log(run.dag_id, run.dag_run_id, "fetch", try_number=attempt)
        text = "\n".join(line.text for line in part.lines)
        assert ("partner.example.com refused the connection" in text) is refused
        assert part.next is None
    for attempt in (0, 3):  # Airflow 2 has a log of these, too, which says that there is none
        with pytest.raises(NotFound):
            runner.log(run.dag_id, run.dag_run_id, "fetch", try_number=attempt)


def test_a_run_is_followed_and_cancelled(runner: Airflow, server: Server) -> None:
    """Only this test runs warehouse_backup."""
    run = server.begin(runner, start(runner, "warehouse_backup"))
    assert run.state == "running"
    assert states(runner, run)["prepare"] == "running"
    part = runner.log(run.dag_id, run.dag_run_id, "prepare")
    assert part.next is not None
    with pytest.raises(NotFound):
        runner.log(run.dag_id, run.dag_run_id, "verify")
    with pytest.raises(NotFinished, match="still running") as caught:
        runner.wait(run.dag_id, run.dag_run_id, timeout=0)
    assert "paused" not in str(caught.value)
    cancelled = runner.cancel(run.dag_id, run.dag_run_id)
    assert (cancelled.state, cancelled.is_final) == ("failed", True)

    lines, after = list(part.lines), part.next

    def ended() -> bool:
        nonlocal after
        following = runner.log(run.dag_id, run.dag_run_id, "prepare", after=after)
        lines.extend(following.lines)
        after = following.next
        return after is None

    wait_until(ended, "the log of a task that was stopped ends")
    complete = runner.log(run.dag_id, run.dag_run_id, "prepare")
    assert complete.next is None
    last = complete.lines[-1].text  # what stands above the task's own lines may be another while it runs
    assert [line.text for line in lines].count(last) == 1
    assert not {"running", "queued", "scheduled"} & set(states(runner, run).values())


@pytest.mark.everywhere
def test_a_waiting_run_is_cancelled(runner: Airflow) -> None:
    """Its tasks are skipped, so none has failed."""
    run = start(runner, IDLE)
    cancelled = runner.cancel(IDLE, run.dag_run_id)
    assert cancelled.state == "failed"
    assert set(states(runner, run).values()) == {"skipped"}
    with pytest.raises(Rejected, match="cleared nothing"):
        runner.clear(IDLE, run.dag_run_id)
    assert runner.run(IDLE, run.dag_run_id) == cancelled
    with pytest.raises(Conflict, match="already ended"):
        runner.cancel(IDLE, run.dag_run_id)


@pytest.mark.everywhere
def test_a_run_of_a_paused_dag_waits_for_ever_and_that_is_said(runner: Airflow) -> None:
    run = start(runner, IDLE)
    with pytest.raises(NotFinished, match=f"{IDLE} is paused in Airflow") as caught:
        runner.wait(IDLE, run.dag_run_id, timeout=0.2)
    assert (caught.value.run.dag_run_id, caught.value.run.state) == (run.dag_run_id, "queued")


@pytest.mark.everywhere
def test_the_tasks_of_a_waiting_run(runner: Airflow) -> None:
    """They are known, and have not begun; of them there is no log."""
    run = start(runner, IDLE)
    tasks = runner.task_instances(IDLE, run.dag_run_id)
    assert {(task.task_id, task.state, task.try_number, task.started_at) for task in tasks} == {("show", None, 0, None)}
    found = runner.run(IDLE, run.dag_run_id)
    assert found is not None
    assert (found.state, found.started_at) == ("queued", None)
    with pytest.raises(NotFound):
        runner.log(IDLE, run.dag_run_id, "show")


def test_a_mapped_task_has_an_instance_for_each_value(runner: Airflow, fake: FakeAirflow) -> None:
    fake.state.dags["mapped"] = FakeDag("mapped", tasks=("first", "work"), mapped={"work": 3})
    run = start(runner, "mapped")
    tasks = runner.task_instances("mapped", run.dag_run_id)
    assert {(task.task_id, task.map_index, task.label) for task in tasks} == {
        ("first", -1, ""), ("work", 0, "no 0"), ("work", 1, "no 1"), ("work", 2, "no 2"),
    }  # fmt: skip


def test_a_run_whose_parameters_are_a_list_is_read_all_the_same(runner: Airflow, fake: FakeAirflow) -> None:
    """As an older Airflow took them; one such run must not hide the others of its DAG."""
    run = start(runner, IDLE)
    fake.state.runs[-1].conf = [{"job": "1"}]  # type: ignore[assignment]
    found = {found.dag_run_id: found for found in runner.recent_runs(IDLE)}
    assert (found[run.dag_run_id].state, found[run.dag_run_id].conf) == ("queued", {})


def test_a_cancelled_run_that_goes_on(runner: Airflow, fake: FakeAirflow) -> None:
    run = start(runner, IDLE)
    fake.fail_next("PATCH .*/dagRuns/.*", "ignore")
    with pytest.raises(NotApplied, match="shows it queued"):
        runner.cancel(IDLE, run.dag_run_id)


def test_a_run_that_cannot_be_read_when_the_time_is_over(
    runner: Airflow, fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is known, and to whoever waits nothing else matters than that it has not ended."""
    run = start(runner, IDLE)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        if not pauses:
            fake.fail_next("GET .*/dagRuns/.*", "503", times=40)
        pauses.append(seconds)

    monkeypatch.setattr("airflow_bridge.http._wait", wait)
    monkeypatch.setattr(
        "airflow_bridge.calls.runs.time", SimpleNamespace(monotonic=lambda: time.monotonic() + sum(pauses))
    )
    with pytest.raises(NotFinished, match=r"was queued when it was last seen; after 0 s it could not be read: .* 503"):
        runner.wait(IDLE, run.dag_run_id, timeout=0.2)


def test_a_run_that_cannot_be_read_from_the_start(
    runner: Airflow, fake: FakeAirflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(runner, IDLE)
    monkeypatch.setattr("airflow_bridge.http._wait", lambda seconds: None)
    fake.fail_next("GET .*/dagRuns/.*", "503", times=4)
    with pytest.raises(Unreachable):
        runner.wait(IDLE, run.dag_run_id, timeout=0)
