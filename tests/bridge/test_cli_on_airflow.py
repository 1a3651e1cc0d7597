"""`python -m airflow_bridge` on the two main releases of the real Airflow."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import airflow_bridge.http
from airflow_bridge.cli import main
from tests.bridge.conftest import Waits
from tests.contract.targets import MAIN
from tests.real_airflow import RealAirflow, RealAirflows, on, unique

pytestmark = pytest.mark.parametrize("release", [pytest.param(name, marks=on(name)) for name in MAIN])
really_wait = airflow_bridge.http._wait
Run = Callable[..., tuple[int, list[dict[str, object]], str]]


@pytest.fixture
def server(real_airflows: RealAirflows, release: str) -> RealAirflow:
    return real_airflows.get(release)


@pytest.fixture
def run(server: RealAirflow, capsys: pytest.CaptureFixture[str], waits: Waits, monkeypatch: pytest.MonkeyPatch) -> Run:
    """run(account, "users") gives the exit code, the rows and what was said."""
    monkeypatch.setattr(airflow_bridge.http, "_wait", really_wait)  # as time passes in a real Airflow

    def run(account: tuple[str, str], *arguments: str) -> tuple[int, list[dict[str, object]], str]:
        environ = {"AIRFLOW_URL": server.url, "AIRFLOW_USERNAME": account[0], "AIRFLOW_PASSWORD": account[1]}
        code = main([*arguments, "--json"], environ)
        written = capsys.readouterr()
        assert account[1] not in written.out + written.err
        return code, [json.loads(line) for line in written.out.splitlines()], written.err

    return run


def test_check_knows_both_accounts(run: Run, server: RealAirflow) -> None:
    code, (found,), _ = run(server.granter, "check")
    assert code == 0
    assert (found["version"], found["api"], found["auth_manager"]) == (server.release, server.api, "FAB")
    assert found["health"]["metadatabase"]["status"] == "healthy"
    assert ["can_edit", "Users"] in found["may"]
    assert ["can_create", "DAG Runs"] in found["may_not"]
    code, (found,), _ = run(server.runner, "check")
    assert code == 0
    assert ["can_edit", "Users"] in found["may_not"]
    assert ["can_create", "DAG Runs"] in found["may"]


def test_a_wrong_password(run: Run, server: RealAirflow) -> None:
    code, rows, said = run((server.granter[0], "not the password"), "users")
    assert (code, rows) == (1, [])
    assert "password" in said or "credentials" in said
    assert said.count("\n") == 1


def test_users_and_roles(run: Run, server: RealAirflow) -> None:
    code, rows, _ = run(server.granter, "users")
    assert code == 0
    assert {server.admin[0], server.granter[0]} <= {row["username"] for row in rows}
    code, rows, _ = run(server.granter, "roles")
    assert {"Admin", "Viewer"} <= {row["name"] for row in rows}
    code, rows, said = run(server.runner, "users")
    assert (code, rows) == (1, [])
    assert "can_read on Users" in said


def test_runs_that_end_badly_or_not_in_time(run: Run, server: RealAirflow) -> None:
    name = unique("cli")
    trigger = ("trigger", "sales_report", "--wait", "300", "--run-id", name)
    code, (row,), said = run(server.runner, *trigger, "--conf", '{"region": "EU"}', "--note", "by hand")
    assert (code, row["state"], said) == (3, "failed", "")
    assert (row["conf"]["region"], row["note"]) == ("EU", "by hand")
    code, (row,), _ = run(server.runner, "runs", "sales_report", "--limit", "1")
    assert (code, row["dag_run_id"], row["state"]) == (0, name, "failed")
    code, _, said = run(server.runner, "trigger", "contract_wide", "--wait", "0", "--run-id", unique("cli"))
    assert code == 4
    assert "contract_wide is paused" in said
