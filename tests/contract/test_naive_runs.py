"""What happens to a client that takes Airflow's runs at their word, and what the bridge does instead."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Conflict, NotFound, Rejected
from tests.contract.conftest import now
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]

RUNS = f"/dags/{IDLE}/dagRuns"


@pytest.fixture
def raw(server: Server) -> Raw:
    return Raw(server, *server.runner)


@pytest.fixture
def run_id(runner: Airflow) -> str:
    """Of a run that stays queued."""
    return runner.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now()).dag_run_id


@pytest.mark.everywhere
def test_airflow_3_wants_to_be_told_the_moment(raw: Raw, runner: Airflow, server: Server) -> None:
    answer = raw.post(RUNS, {"dag_run_id": unique("g__")})
    assert answer.status == (422 if server.target.api == "v2" else 200)
    assert runner.trigger(IDLE, dag_run_id=unique("g__")).logical_date is not None


@pytest.mark.everywhere
def test_a_free_text_is_no_id(raw: Raw, runner: Airflow, server: Server) -> None:
    body = {"dag_run_id": "for Zoë", "logical_date": now().isoformat()}
    assert raw.post(RUNS, body).status == (400 if server.target.api == "v2" else 500)
    with pytest.raises(Rejected, match="cannot be the id"):
        runner.trigger(IDLE, dag_run_id="for Zoë")


@pytest.mark.everywhere
def test_a_success_can_be_turned_into_a_failure(raw: Raw, runner: Airflow, server: Server, run_id: str) -> None:
    mask = "?update_mask=state" if server.target.api == "v2" else ""
    assert raw.patch(f"{RUNS}/{run_id}{mask}", {"state": "success"}).status == 200
    with pytest.raises(Conflict, match=r"already ended \(success\)"):
        runner.cancel(IDLE, run_id)
    assert raw.get(f"{RUNS}/{run_id}").json["state"] == "success"
    answer = raw.patch(f"{RUNS}/{run_id}{mask}", {"state": "failed"})
    assert (answer.status, answer.json["state"]) == (200, "failed")


@pytest.mark.everywhere
def test_clearing_is_only_talked_about_unless_asked_for(raw: Raw, runner: Airflow, run_id: str) -> None:
    runner.cancel(IDLE, run_id)
    assert raw.post(f"{RUNS}/{run_id}/clear", {}).status == 200
    assert raw.get(f"{RUNS}/{run_id}").json["state"] == "failed"
    assert runner.clear(IDLE, run_id, only_failed=False).state == "queued"


@pytest.mark.everywhere
def test_the_first_row_is_the_oldest(raw: Raw, runner: Airflow, run_id: str) -> None:
    newer = runner.trigger(IDLE, dag_run_id=unique("g__"), logical_date=now()).dag_run_id
    listed = [row["dag_run_id"] for row in raw.get(f"{RUNS}?limit=100").json["dag_runs"]]
    if newer in listed:
        assert listed.index(run_id) < listed.index(newer)
    assert [run.dag_run_id for run in runner.recent_runs(IDLE, 2)] == [newer, run_id]


@pytest.mark.everywhere
def test_only_the_first_wrong_parameter_is_told(raw: Raw, runner: Airflow) -> None:
    """A form checks all of them itself, by their schemas."""
    dag = runner.dag(IDLE)
    assert dag is not None
    assert dag.params["choice"].schema["enum"] == ["red", "green", "blue"]
    assert dag.params["whole_number"].schema["maximum"] == 10
    conf = {"choice": "pink", "whole_number": 11}
    answer = raw.post(RUNS, {"dag_run_id": unique("g__"), "logical_date": now().isoformat(), "conf": conf})
    assert answer.status == 400
    assert ("pink" in answer.text) != ("11" in answer.json["detail"].split("\n")[0])


@pytest.mark.needs("every_date")
def test_a_log_that_never_was_is_a_text_about_it_and_goes_on_for_ever(raw: Raw, runner: Airflow, run_id: str) -> None:
    """In Airflow 2, whose JSON, moreover, holds what Python shows of a list."""
    path = f"{RUNS}/{run_id}/taskInstances/show/logs/1"
    answer = raw.get(path)
    assert answer.status == 200
    assert answer.json["content"].startswith("[('")
    assert answer.json["continuation_token"]
    assert raw.get(f"{path}?token={answer.json['continuation_token']}").json["continuation_token"]
    assert raw.get(path, accept="text/plain").status == 200
    with pytest.raises(NotFound):
        runner.log(IDLE, run_id, "show")


@pytest.mark.everywhere
@pytest.mark.needs("tokens")
def test_a_log_of_airflow_3_is_no_plain_text(raw: Raw, runner: Airflow, run_id: str) -> None:
    path = f"{RUNS}/{run_id}/taskInstances/show/logs/1"
    assert raw.get(path, accept="text/plain").status in (404, 406)
    assert raw.get(path).status == 404
    with pytest.raises(NotFound):
        runner.log(IDLE, run_id, "show")


@pytest.mark.everywhere
def test_a_run_shows_what_it_was_given_to_all_who_read_it(raw: Raw, runner: Airflow) -> None:
    """Nothing is hidden there: a secret has no place in it."""
    run_id = unique("g__")
    runner.trigger(IDLE, dag_run_id=run_id, conf={"password": "plainly-visible"})
    assert "plainly-visible" in raw.get(f"{RUNS}/{run_id}").text
