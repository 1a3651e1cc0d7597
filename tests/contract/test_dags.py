"""DAGs: listed, described, paused. Only these tests pause payroll_close."""

from __future__ import annotations

import pytest

from airflow_bridge import Airflow, Forbidden, NotFound

pytestmark = pytest.mark.contract

DEMO = ["every_param", "flaky_import", "payroll_close", "sales_report", "warehouse_backup"]


def test_the_list(runner: Airflow) -> None:
    found = {dag.dag_id: dag for dag in runner.dags()}
    assert list(found) == DEMO
    sales = found["sales_report"]
    assert (set(sales.tags), sales.owners, sales.paused) == ({"sales", "report"}, ("sales",), False)
    assert sales.description.startswith("Sales figures")
    assert (sales.stale, sales.has_import_errors, sales.manual_runs_allowed, sales.problem) == (False, False, True, "")
    assert (sales.schedule, sales.next_run, sales.params) == ("", None, {})


def test_the_details_have_the_parameters_in_order(runner: Airflow) -> None:
    dag = runner.dag("sales_report")
    assert dag is not None
    assert list(dag.params) == ["region", "dry_run", "date"]
    region = dag.params["region"]
    assert region.value == "KR"
    assert (region.schema["type"], region.schema["enum"]) == ("string", ["KR", "APAC", "EU"])
    assert dag.params["dry_run"].value is True
    assert dag.params["dry_run"].schema["description"] == "Do everything but publish."
    assert dag.params["date"].schema["format"] == "date"


def test_a_parameter_without_a_schema(runner: Airflow) -> None:
    dag = runner.dag("every_param")
    assert dag is not None
    assert (dag.params["plain"].value, dag.params["plain"].schema) == ("a value without a schema", {})
    assert dag.params["optional_text"].value is None


@pytest.mark.parametrize("dag_id", ["no_such_dag", "~", "", "..", "a/b", "sales report"])
def test_no_such_dag(runner: Airflow, dag_id: str) -> None:
    assert runner.dag(dag_id) is None
    with pytest.raises(NotFound):
        runner.set_paused(dag_id, True)


def test_pause_and_unpause(runner: Airflow) -> None:
    try:
        for paused in (True, True, False, False, True):
            assert runner.set_paused("payroll_close", paused).paused is paused
            dag = runner.dag("payroll_close")
            assert dag is not None
            assert dag.paused is paused
    finally:
        runner.set_paused("payroll_close", False)


def test_the_granter_sees_no_dag(granter: Airflow) -> None:
    for call in (
        lambda: list(granter.dags()),
        lambda: granter.dag("sales_report"),
        lambda: granter.set_paused("sales_report", True),
    ):
        with pytest.raises(Forbidden):
            call()
