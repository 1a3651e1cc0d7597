"""Runs: started once however often asked, under an id and for a moment of ours."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, NotFound, Rejected
from tests.contract.conftest import now
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


@pytest.mark.everywhere
def test_a_run_is_started_as_asked(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()
    note = "asked by Zoë (REQ-1)"
    run = runner.trigger(IDLE, dag_run_id=run_id, conf={"choice": "red"}, logical_date=when, note=note)
    assert (run.dag_id, run.dag_run_id, run.logical_date) == (IDLE, run_id, when)
    assert (run.conf["choice"], run.note, run.state, run.kind) == ("red", note, "queued", "manual")
    found = runner.run(IDLE, run_id)
    assert found is not None
    assert (found.conf, found.note, found.logical_date, found.is_final) == (run.conf, note, when, False)


@pytest.mark.everywhere
@pytest.mark.once
def test_a_run_is_for_now_unless_asked_otherwise(runner: Airflow) -> None:
    before = now()
    run = runner.trigger(IDLE, dag_run_id=unique("g__"))
    assert run.logical_date is not None
    assert before <= run.logical_date <= now()
    assert run.logical_date.utcoffset() == timedelta(0)


@pytest.mark.everywhere
def test_a_run_is_started_once(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()
    first = runner.trigger(IDLE, dag_run_id=run_id, logical_date=when)
    again = runner.trigger(IDLE, dag_run_id=run_id, logical_date=when)
    assert (again.dag_run_id, again.queued_at, again.logical_date) == (run_id, first.queued_at, when)
    assert [run.dag_run_id for run in runner.recent_runs(IDLE, 100)].count(run_id) == 1


@pytest.mark.everywhere
@pytest.mark.once
def test_a_run_of_that_id_is_found_whatever_its_moment(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()
    runner.trigger(IDLE, dag_run_id=run_id, logical_date=when)
    again = runner.trigger(IDLE, dag_run_id=run_id, logical_date=when + timedelta(seconds=1))
    assert again.logical_date == when


@pytest.mark.once
def test_a_run_is_started_once_by_many_at_once(runner: Airflow) -> None:
    run_id, when = unique("gatehouse__"), now()

    def trigger(_: int) -> str:
        return runner.trigger(IDLE, dag_run_id=run_id, logical_date=when).dag_run_id

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(trigger, range(4))) == {run_id}
    assert [run.dag_run_id for run in runner.recent_runs(IDLE, 100)].count(run_id) == 1


@pytest.mark.once
def test_a_start_whose_answer_was_lost_is_found(runner: Airflow, fake: FakeAirflow) -> None:
    for mode in ("drop", "half"):
        run_id = unique("g__")
        fake.fail_next("POST .*/dagRuns", mode)
        assert runner.trigger(IDLE, dag_run_id=run_id).dag_run_id == run_id
        assert [run.dag_run_id for run in fake.state.runs].count(run_id) == 1


@pytest.mark.everywhere
def test_a_taken_logical_date_is_a_conflict_in_words(runner: Airflow) -> None:
    when, other = now(), unique("gatehouse__")
    runner.trigger(IDLE, dag_run_id=unique("gatehouse__"), logical_date=when)
    with pytest.raises(Conflict, match="same logical date"):
        runner.trigger(IDLE, dag_run_id=other, logical_date=when)
    assert runner.run(IDLE, other) is None


@pytest.mark.parametrize(
    ("conf", "field"),
    [({"region": "XX"}, "region"), ({"dry_run": "perhaps"}, "dry_run"), ({"region": float("nan")}, None)],
)
def test_parameters_that_the_dag_does_not_take(runner: Airflow, conf: dict, field: str | None) -> None:
    run_id = unique("gatehouse__")
    with pytest.raises(Rejected) as caught:
        runner.trigger("sales_report", dag_run_id=run_id, conf=conf, logical_date=now())
    assert caught.value.field == field
    assert "On instance" not in str(caught.value)
    assert runner.run("sales_report", run_id) is None


@pytest.mark.parametrize("run_id", ["", "~", "with space", "with/slash", "é", "x" * 251])
def test_an_id_that_airflow_cannot_keep(runner: Airflow, run_id: str) -> None:
    with pytest.raises(Rejected) as caught:
        runner.trigger(IDLE, dag_run_id=run_id, logical_date=now())
    assert caught.value.field == "dag_run_id"


@pytest.mark.parametrize("kind", ["scheduled", "backfill", "asset_triggered", "dataset_triggered"])
def test_an_id_that_is_airflows_own(runner: Airflow, kind: str) -> None:
    with pytest.raises(Rejected, match="reserved"):
        runner.trigger(IDLE, dag_run_id=unique(f"{kind}_"), logical_date=now())


def test_a_logical_date_needs_a_time_zone(runner: Airflow) -> None:
    with pytest.raises(Rejected, match="time zone"):
        runner.trigger(IDLE, dag_run_id="x", logical_date=now().replace(tzinfo=None))


@pytest.mark.everywhere
@pytest.mark.once
def test_a_note_is_kept_and_cut(runner: Airflow) -> None:
    run = runner.trigger(IDLE, dag_run_id=unique("g__"), note="n" * 2000)
    assert run.note == "n" * 999 + "…"


def test_no_such_dag(runner: Airflow) -> None:
    with pytest.raises(NotFound):
        runner.trigger("no_such_dag", dag_run_id="x", logical_date=now())
    with pytest.raises(NotFound):
        runner.recent_runs("no_such_dag")
    with pytest.raises(NotFound):
        runner.recent_runs("~")
    assert runner.run("no_such_dag", "x") is None


def test_no_such_run(runner: Airflow) -> None:
    assert runner.run(IDLE, "no_such_run") is None
    for call in (
        lambda: runner.task_instances(IDLE, "no_such_run"),
        lambda: runner.cancel(IDLE, "no_such_run"),
        lambda: runner.clear(IDLE, "no_such_run"),
        lambda: runner.log(IDLE, "no_such_run", "show"),
        lambda: runner.wait(IDLE, "no_such_run", timeout=60),
    ):
        with pytest.raises(NotFound):
            call()


def test_ids_with_every_sign_that_airflow_takes(runner: Airflow) -> None:
    run_id = unique("a.b~c:d+e-f_")
    runner.trigger(IDLE, dag_run_id=run_id, logical_date=now())
    run = runner.run(IDLE, run_id)
    assert run is not None
    assert run.dag_run_id == run_id


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_granter_runs_nothing(granter: Airflow, runner: Airflow, server: Server) -> None:
    run = runner.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now())
    for call in (
        lambda: granter.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now()),
        lambda: granter.run(IDLE, run.dag_run_id),
        lambda: granter.recent_runs(IDLE),
        lambda: list(granter.runs()),
        lambda: granter.task_instances(IDLE, run.dag_run_id),
        lambda: granter.cancel(IDLE, run.dag_run_id),
        lambda: granter.log(IDLE, run.dag_run_id, "show"),
    ):
        with pytest.raises(Forbidden):
            call()
