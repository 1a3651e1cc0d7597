"""The Airflow that `make demo` starts, as it starts it: on SQLite, with the settings that its release has there.

All other tests of real Airflows use PostgreSQL (tests/real_airflow.py).
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from airflow_bridge import Airflow, Conflict, PasswordAuth, Run, TimedOut, Unexpected, connect
from portal.demo.airflow import (
    RELEASES,
    AirflowServer,
    NotInstalled,
    ensure_environment,
    ensure_service_accounts,
    ensure_variables,
)
from tests.conftest import missing
from tests.contract.servers import wait_until
from tests.contract.targets import MAIN
from tests.real_airflow import GRANTER, RUNNER, on
from tests.services import free_port

RUN = "gatehouse__once"


def started(airflow: Airflow) -> Run | None:
    """SQLite refuses one of two changes at one moment: then it is looked whether ours was made, and asked again."""
    try:
        return airflow.trigger("sales_report", dag_run_id=RUN)
    except (Conflict, TimedOut, Unexpected):
        return airflow.run("sales_report", RUN)


@pytest.mark.parametrize("name", [pytest.param(name, marks=on(name)) for name in MAIN])
def test_it_comes_up_with_both_accounts_and_runs_what_it_is_asked_to(name: str, tmp_path: Path) -> None:
    release = RELEASES[name]
    try:
        python = ensure_environment(release=release)
    except NotInstalled as error:
        missing(str(error))
    with AirflowServer(tmp_path / "home", free_port(), python=python, release=release) as server:
        with closing(sqlite3.connect(server.home / "airflow.db")) as database:
            assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        ensure_service_accounts(server, granter=GRANTER, runner=RUNNER, api=release.api)
        airflow = connect(name="demo", url=server.url, api=release.api, auth=PasswordAuth(*RUNNER), timeout=30)
        with closing(airflow):
            ensure_variables(server, api=release.api)
            airflow.set_variable("report_mode", "fast")
            ensure_variables(server, api=release.api)
            assert airflow.variable("report_mode").value == "fast"  # what is there stays
            assert wait_until(lambda: started(airflow), "the run is there").dag_run_id == RUN
            assert airflow.wait("sales_report", RUN, timeout=120).state == "success"
            assert airflow.xcom("sales_report", RUN, "collect", "return_value").value == 4  # the DAG read the variable
