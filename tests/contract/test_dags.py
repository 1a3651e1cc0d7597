"""DAGs: listed, described, paused. Only these tests pause payroll_close."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_bridge import Airflow, Forbidden, NotApplied, NotFound
from tests.contract.conftest import Clients, now
from tests.contract.raw import Raw
from tests.contract.servers import Server, wait_until
from tests.contract.targets import MAIN
from tests.fake_airflow import FakeAirflow, FakeDag
from tests.real_airflow import RealAirflows, on, unique

pytestmark = pytest.mark.contract

TOLD = Path(__file__).with_name("told.json")
DEMO = ["every_param", "flaky_import", "payroll_close", "sales_report", "warehouse_backup"]


@pytest.mark.everywhere
def test_the_list(runner: Airflow) -> None:
    found = {dag.dag_id: dag for dag in runner.dags()}
    assert [name for name in found if not name.startswith(("contract_", "example_"))] == DEMO
    sales = found["sales_report"]
    assert (sales.tags, sales.paused) == (("report", "sales"), False)
    assert sales.description.startswith("Sales figures")
    assert (sales.stale, sales.has_import_errors, sales.manual_runs_allowed, sales.problem) == (False, False, True, "")
    assert (sales.schedule, sales.params) == ("", {})


@pytest.mark.everywhere
def test_the_details_have_the_parameters(runner: Airflow, server: Server) -> None:
    dag = runner.dag("sales_report")
    assert dag is not None
    order = ["region", "dry_run", "date"]  # Airflow 2 does not keep it
    assert list(dag.params) == (order if server.target.can("param_order") else sorted(order))
    region = dag.params["region"]
    assert region.value == "KR"
    assert (region.schema["type"], region.schema["enum"]) == ("string", ["KR", "APAC", "EU"])
    assert dag.params["dry_run"].value is True
    assert dag.params["dry_run"].schema["description"] == "Do everything but publish."
    assert dag.params["date"].schema["format"] == "date"
    assert (dag.tags, dag.description[:13]) == (("report", "sales"), "Sales figures")


def test_a_parameter_without_a_schema(runner: Airflow) -> None:
    dag = runner.dag("every_param")
    assert dag is not None
    assert (dag.params["plain"].value, dag.params["plain"].schema) == ("a value without a schema", {})
    assert dag.params["optional_text"].value is None
    assert not dag.params["optional_text"].required


@pytest.mark.parametrize(
    ("schema", "required"),
    [
        ({}, False),
        ({"title": "Anything", "section": "Rarely needed"}, False),
        ({"type": "string"}, True),
        ({"type": ["null", "string"]}, False),
        ({"type": ["null", "string"], "minLength": 3}, False),
        ({"enum": ["EU", "US"]}, True),
        ({"enum": ["EU", None]}, False),
        ({"type": ["null", "string"], "enum": ["EU"]}, True),
        ({"minimum": 1}, True),
        ({"const": "x"}, True),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, False),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, True),
    ],
)
def test_a_parameter_without_a_default(runner: Airflow, fake: FakeAirflow, schema: dict, required: bool) -> None:
    fake.state.dags["given"] = FakeDag("given", params={"x": {"value": None, "schema": schema}})
    dag = runner.dag("given")
    assert dag is not None
    assert dag.params["x"].required is required


def test_a_schedule_is_told_as_people_write_it(runner: Airflow) -> None:
    for dag in (runner.dag("contract_daily"), {dag.dag_id: dag for dag in runner.dags()}["contract_daily"]):
        assert dag is not None
        assert (dag.schedule, dag.paused, dag.tags) == ("0 5 * * *", True, ("contract",))


@pytest.mark.everywhere
def test_owners_limits_and_catch_up(runner: Airflow, server: Server) -> None:
    listed = {dag.dag_id: dag for dag in runner.dags()}["sales_report"]
    dag = runner.dag("sales_report")
    assert dag is not None
    assert listed.owners == ("sales",)
    assert dag.owners == (("sales",) if server.target.api == "v2" else None)  # Airflow 2 tells owners in lists only
    assert (listed.max_active_runs, dag.max_active_runs) == (16, 16)
    assert (listed.catchup, dag.catchup) == (None, False)
    assert (listed.next_run_at, dag.next_run_at) == (None, None)


def test_the_next_run_catch_up_and_the_limit_of_runs(runner: Airflow, fake: FakeAirflow) -> None:
    next_run = now() + timedelta(hours=1)
    fake.state.dags["daily"] = FakeDag(
        "daily", schedule="@daily", next_run=next_run, catchup=True, max_active_runs=1, owner="data, sales"
    )
    listed, dag = {dag.dag_id: dag for dag in runner.dags()}["daily"], runner.dag("daily")
    assert dag is not None
    assert dag.next_run_at is not None and abs(dag.next_run_at - next_run) < timedelta(seconds=1)
    assert (listed.next_run_at, dag.catchup, dag.max_active_runs) == (dag.next_run_at, True, 1)
    assert listed.owners == ("data", "sales")


@pytest.mark.parametrize("release", [pytest.param(name, marks=on(name)) for name in MAIN])
def test_both_versions_tell_the_same_of_a_dag(real_airflows: RealAirflows, clients: Clients, release: str) -> None:
    """told.json is what each is to tell of the demo's DAGs. Days and months are not compared: some are those when the
    file was read."""
    real = real_airflows.get(release)
    airflow = clients.get(real.url, real.api, real.admin)
    dags = {name: airflow.dag(name) for name in DEMO}
    without = {"paused": False, "file": "", "start_date": None, "end_date": None, "owners": None}
    told = {name: asdict(replace(dag, **without)) for name, dag in dags.items() if dag}
    found, expected = (
        json.loads(re.sub(r"\d{4}-\d\d(-\d\d)?", "a day", text)) for text in (json.dumps(told), TOLD.read_text())
    )
    assert found == {name: {"dag_id": name, **without, **fields} for name, fields in expected.items()}


@pytest.mark.parametrize("dag_id", ["no_such_dag", "~", "", "..", "a/b", "sales report"])
def test_no_such_dag(runner: Airflow, dag_id: str) -> None:
    assert runner.dag(dag_id) is None
    with pytest.raises(NotFound):
        runner.set_paused(dag_id, True)


@pytest.mark.everywhere
def test_pause_and_unpause(runner: Airflow) -> None:
    try:
        for paused in (True, True, False, False, True):
            assert runner.set_paused("payroll_close", paused).paused is paused
            dag = runner.dag("payroll_close")
            assert dag is not None
            assert dag.paused is paused
    finally:
        runner.set_paused("payroll_close", False)


def test_a_switch_that_does_not_move(runner: Airflow, fake: FakeAirflow) -> None:
    fake.fail_next("PATCH .*/dags/.*", "ignore")
    with pytest.raises(NotApplied, match="switch has not moved"):
        runner.set_paused("payroll_close", True)


@pytest.mark.once
def test_a_dag_that_is_there_and_cannot_be_started(runner: Airflow, fake: FakeAirflow) -> None:
    fake.state.dags["old"] = FakeDag("old", stale=True)
    fake.state.dags["wrong"] = FakeDag("wrong", import_errors=True)
    fake.state.dags["both"] = FakeDag("both", stale=True, import_errors=True)  # as Airflow has it a little later
    dags = {dag.dag_id: dag for dag in runner.dags()}
    assert "old" not in dags
    for name, words in (("old", "no longer finds"), ("wrong", "import errors"), ("both", "import errors")):
        dag = runner.dag(name)
        assert dag is not None
        assert words in dag.problem
        assert name not in dags or words in dags[name].problem
    with pytest.raises(NotFound):
        runner.trigger("old", dag_run_id=unique("g__"), logical_date=now())


@pytest.mark.once
@pytest.mark.needs("allowed_run_types")
def test_a_dag_that_nobody_may_start(runner: Airflow, fake: FakeAirflow) -> None:
    fake.state.dags["by_clock"] = FakeDag("by_clock", allowed_run_types=["scheduled"])
    dag = runner.dag("by_clock")
    assert dag is not None
    assert dag.problem == "This DAG does not allow manual runs."


def test_where_its_file_is_and_between_which_dates_it_runs(runner: Airflow, fake: FakeAirflow) -> None:
    ended = now() - timedelta(days=1)
    fake.state.dags["ended"] = FakeDag("ended", end_date=ended, file="both.py")
    dag = runner.dag("ended")
    assert dag is not None
    assert dag.start_date is not None
    assert dag.end_date is not None and abs(dag.end_date - ended) < timedelta(seconds=1)
    assert dag.file.endswith("both.py")


def test_more_dags_than_airflow_gives_at_once(runner: Airflow, fake: FakeAirflow) -> None:
    fake.add_dags(250)
    names = [dag.dag_id for dag in runner.dags()]
    assert names == sorted(fake.state.dags)


@pytest.mark.everywhere
@pytest.mark.once
def test_import_errors(airflow: Airflow) -> None:
    def told() -> str | None:
        found = [error for error in airflow.import_errors() if error.file.endswith("contract_broken.py")]
        return found[0].message if found else None

    assert "the contract's broken file" in wait_until(told, "the broken file is read")


@pytest.mark.everywhere
@pytest.mark.separate
def test_the_accounts_see_what_they_need(granter: Airflow, runner: Airflow, server: Server) -> None:
    assert runner.lacking([("can_read", "ImportError")]) == frozenset()
    list(runner.import_errors())
    for call in (
        lambda: list(granter.dags()),
        lambda: granter.dag("sales_report"),
        lambda: granter.set_paused("sales_report", True),
    ):
        with pytest.raises(Forbidden):
            call()
    assert Raw(server, *server.granter).get("/dags").status == 403
