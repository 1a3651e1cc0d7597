"""Tasks that are cleared, notes, what tasks hand on, and long logs."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotFound, Rejected, Run, TimedOut, TooLarge
from tests.contract.conftest import now
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]

DAG = "contract_retried"
HANDED_ON = {
    "address": "https://reports.example.com/42",
    "digits": "42",
    "long": "x" * 100_000,
    "return_value": {"rows": 42, "parts": ["a", None]},
}


def start(airflow: Airflow, dag_id: str = DAG) -> Run:
    return airflow.trigger(dag_id, dag_run_id=unique("g__"), logical_date=now())


def states(airflow: Airflow, run: Run) -> dict[str, tuple[str | None, int]]:
    tasks = airflow.task_instances(run.dag_id, run.dag_run_id)
    return {task.task_id: (task.state, task.try_number) for task in tasks}


@pytest.mark.everywhere
def test_a_cleared_run_succeeds_and_hands_on_values(runner: Airflow, server: Server) -> None:
    run, other = start(runner), start(runner)
    for one in (run, other):
        assert server.finish_failed_task(runner, one, "first").state == "failed"
    before = runner.run(DAG, other.dag_run_id)
    assert not runner.clear_tasks(DAG, run.dag_run_id, ["first"], downstream=True).is_final
    assert server.finish(runner, run, "success", xcoms={("first", key): value for key, value in HANDED_ON.items()})
    assert states(runner, run) == {"first": ("success", 2), "second": ("success", 1)}
    assert runner.run(DAG, other.dag_run_id) == before, "only this run"

    for key in ("address", "digits", "return_value"):
        found = runner.xcom(DAG, run.dag_run_id, "first", key)
        assert found is not None
        assert (found.task_id, found.key, found.value) == ("first", key, HANDED_ON[key])
    assert runner.xcom(DAG, run.dag_run_id, "first", "nothing") is None
    assert runner.xcom(DAG, run.dag_run_id, "nothing", "address") is None
    with pytest.raises(TooLarge, match="more than 64 kB"):
        runner.xcom(DAG, run.dag_run_id, "first", "long")
    assert runner.xcom(DAG, run.dag_run_id, "first", "long", largest=200_000) is not None

    lines = list(runner.log_lines(DAG, run.dag_run_id, "first", try_number=1))
    assert {line.text for line in lines if line.is_error} == {"ValueError: the first try fails"}  # Airflow 2: twice
    assert any("the first line: ünïcode" in line.text for line in lines)
    assert not any(line.is_error for line in runner.log_lines(DAG, run.dag_run_id, "first", try_number=2))
    assert next(iter(runner.log_lines(DAG, run.dag_run_id, "first", try_number=1)))
    for attempt in (0, 3):
        with pytest.raises(NotFound):
            list(runner.log_lines(DAG, run.dag_run_id, "first", try_number=attempt))


def test_tasks_that_depend_on_a_cleared_one_are_cleared_only_if_wanted(runner: Airflow, fake: FakeAirflow) -> None:
    run = start(runner)
    fake.set_run_states("success")
    runner.clear_tasks(DAG, run.dag_run_id, ["first"])
    assert states(runner, run) == {"first": (None, 1), "second": ("success", 1)}
    fake.set_run_states("success")
    runner.clear_tasks(DAG, run.dag_run_id, ["first"], downstream=True)
    assert states(runner, run) == {"first": (None, 2), "second": (None, 1)}


@pytest.mark.everywhere
def test_only_tasks_of_a_run_that_has_ended_are_cleared(runner: Airflow) -> None:
    run = start(runner, IDLE)
    with pytest.raises(Conflict, match="not ended yet"):
        runner.clear_tasks(IDLE, run.dag_run_id, ["show"])
    runner.cancel(IDLE, run.dag_run_id)
    with pytest.raises(NotFound):
        runner.clear_tasks(IDLE, unique("none"), ["show"])
    with pytest.raises(Rejected, match="No task was named"):
        runner.clear_tasks(IDLE, run.dag_run_id, [])
    assert runner.clear_tasks(IDLE, run.dag_run_id, ["show"]).state == "queued"


@pytest.mark.everywhere
def test_a_task_that_does_not_exist_is_not_cleared(runner: Airflow) -> None:
    run = start(runner, IDLE)
    ended = runner.cancel(IDLE, run.dag_run_id)
    with pytest.raises((Rejected, NotFound)):
        runner.clear_tasks(IDLE, run.dag_run_id, ["no_such_task"])
    assert runner.run(IDLE, run.dag_run_id) == ended


@pytest.mark.everywhere
def test_the_note_of_a_run(runner: Airflow) -> None:
    run = start(runner, IDLE)
    assert runner.set_note(IDLE, run.dag_run_id, "Requested by émile: why").note == "Requested by émile: why"
    found = runner.run(IDLE, run.dag_run_id)
    assert found is not None and found.note == "Requested by émile: why"
    assert len(runner.set_note(IDLE, run.dag_run_id, "n" * 2000).note) == 1000
    with pytest.raises(NotFound):
        runner.set_note(IDLE, unique("none"), "note")


@pytest.mark.needs("users")
@pytest.mark.separate
def test_what_takes_permissions_of_its_own(granter: Airflow, runner: Airflow) -> None:
    run = start(runner, IDLE)
    for call in (
        lambda: granter.xcom(IDLE, run.dag_run_id, "show", "return_value"),
        lambda: granter.set_note(IDLE, run.dag_run_id, "note"),
        lambda: list(granter.log_lines(IDLE, run.dag_run_id, "show")),
        lambda: granter.clear_tasks(IDLE, run.dag_run_id, ["show"]),
    ):
        with pytest.raises(Forbidden):
            call()


def test_a_long_line_is_cut(runner: Airflow, fake: FakeAirflow) -> None:
    run = start(runner)
    fake.state.runs[-1].logs["first", 1] = ["a", "b" * 3_000_000, "c"]
    fake.set_run_states("success")
    texts = [line.text for line in runner.log_lines(DAG, run.dag_run_id, "first")][-3:]
    assert (texts[0][-1], texts[2][-1]) == ("a", "c")
    assert 1_000_000 < len(texts[1]) < 1_100_000


def test_a_log_is_read_with_a_new_token(runner: Airflow, fake: FakeAirflow) -> None:
    run = start(runner)
    fake.set_run_states("success")
    for change in (fake.expire_tokens, fake.invalidate_tokens):
        change()
        assert list(runner.log_lines(DAG, run.dag_run_id, "first"))


def test_a_log_that_breaks_off(runner: Airflow, fake: FakeAirflow) -> None:
    run = start(runner)
    fake.set_run_states("success")
    fake.fail_next("GET .*/logs/.*", "half")
    with pytest.raises(TimedOut):
        list(runner.log_lines(DAG, run.dag_run_id, "first"))
