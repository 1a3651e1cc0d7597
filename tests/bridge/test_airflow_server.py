"""What an Airflow is started with and when it counts as up, shown with a program that stands in for its Python."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from portal.demo.airflow import RELEASES, AirflowNotUp, AirflowServer
from tests.fake_airflow import FakeAirflow

# `airflow db` and `airflow users` say what they were given; everything else runs until it is told to end
STAND_IN = f"""#!{sys.executable}
import json, os, sys, time
told = {{"argv": sys.argv[3:], "env": dict(os.environ), "leads_its_session": os.getsid(0) == os.getpid()}}
if sys.argv[3] in ("db", "users"):
    told["given"] = sys.stdin.read()
with open(os.environ["AIRFLOW_HOME"] + "/told", "a") as file:
    file.write(json.dumps(told) + "\\n")
if sys.argv[3] not in ("db", "users"):
    time.sleep(600)
"""
PERSON = {"gatehouse-runs": ("runner's password", "op")}


@pytest.fixture
def python(tmp_path: Path) -> Path:
    program = tmp_path / "environment" / "bin" / "python"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    program.chmod(0o755)
    return program


@contextmanager
def started(server: AirflowServer) -> Iterator[list[dict[str, Any]]]:
    """What its processes were told, one after the other, once all of them have said so."""
    parts = set(server.release.components)
    server.start()
    try:
        deadline = time.monotonic() + 60
        while not parts <= {told["argv"][0] for told in everything_told(server)}:
            assert time.monotonic() < deadline, server.log_end()
            time.sleep(0.02)
        yield everything_told(server)
    finally:
        server.stop()


def everything_told(server: AirflowServer) -> list[dict[str, Any]]:
    file = server.home / "told"
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


@pytest.mark.parametrize("name", list(RELEASES))
def test_it_is_up_when_its_parts_are_well_and_its_dags_known(name: str, tmp_path: Path, python: Path) -> None:
    release = RELEASES[name]
    with FakeAirflow(release=name) as fake:
        port = urlsplit(fake.url).port
        assert port
        server = AirflowServer(tmp_path / "home", port, python=python, admin=fake.admin, release=release)
        with started(server):
            server.wait_until_ready(60, dags=["sales_report"])
            with pytest.raises(AirflowNotUp, match="DAGs not parsed yet: no_such_dag"):
                server.wait_until_ready(0, dags=["no_such_dag"])
            fake.state.health["scheduler"] = "unhealthy"
            with pytest.raises(AirflowNotUp, match="the scheduler is not healthy yet"):
                server.wait_until_ready(0, dags=["sales_report"])
        stranger = AirflowServer(tmp_path / "other", port, python=python, admin=("admin", "wrong"), release=release)
        fake.state.health["scheduler"] = "healthy"
        with started(stranger), pytest.raises(AirflowNotUp, match=r"answers 40[13]"):
            stranger.wait_until_ready(0, dags=[])


def test_one_whose_parts_do_not_stay_up_says_so(tmp_path: Path, python: Path) -> None:
    python.write_text(STAND_IN.replace("time.sleep(600)", "sys.exit('no such setting')"))
    server = AirflowServer(tmp_path / "home", 9, python=python)
    server.start()
    with pytest.raises(AirflowNotUp, match="ended while it was starting"):
        server.wait_until_ready(60)
    server.stop()


@pytest.mark.parametrize("name", list(RELEASES))
def test_it_listens_here_alone_and_knows_nothing_of_our_own_settings(
    name: str, tmp_path: Path, python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    monkeypatch.setenv("GATEHOUSE_SECRET_KEY", "ours")
    server = AirflowServer(tmp_path / "home", 45678, python=python, release=RELEASES[name], accounts=PERSON)
    with started(server) as told:
        pass
    for part in told:
        assert part["env"]["AIRFLOW__CORE__EXECUTOR"] != "CeleryExecutor"
        assert "GATEHOUSE_SECRET_KEY" not in part["env"]
        assert part["env"]["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == f"sqlite:///{tmp_path}/home/airflow.db"
        # Airflow 2 starts its tasks as `airflow`, which must be the one beside its Python
        assert part["env"]["PATH"].split(os.pathsep)[0] == str(python.parent)
    (serving,) = [part["argv"] for part in told if "--port" in part["argv"]]
    assert [serving[serving.index(option) + 1] for option in (serving[1], "--port")] == ["127.0.0.1", "45678"]


def test_the_administrators_password_goes_where_nobody_sees_it(tmp_path: Path, python: Path) -> None:
    """Not in the arguments; and in a session without a terminal, which Airflow would ask otherwise."""
    server = AirflowServer(tmp_path / "home", 9, python=python, admin=("admin", "secret of the admin"))
    server.prepare()
    migrated, created = everything_told(server)
    assert migrated["argv"] == ["db", "migrate"]
    assert created["given"] == "secret of the admin\nsecret of the admin\n"
    assert created["leads_its_session"]
    assert "secret of the admin" not in json.dumps([created["argv"], created["env"]])


def test_where_accounts_are_configuration_it_writes_them(tmp_path: Path, python: Path) -> None:
    release = RELEASES["3.3.2-simple"]
    server = AirflowServer(tmp_path / "home", 9, python=python, admin=("root", "r"), release=release, accounts=PERSON)
    with started(server) as told:
        pass
    assert [part["argv"] for part in told if part["argv"][0] == "users"] == []
    users = told[0]["env"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"]
    passwords = Path(told[0]["env"]["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert set(users.split(",")) == {"root:admin", "gatehouse-runs:op"}
    assert json.loads(passwords.read_text()) == {"root": "r", "gatehouse-runs": "runner's password"}
    assert passwords.stat().st_mode & 0o077 == 0


def test_a_second_start_prepares_nothing_and_minds_no_number_of_a_killed_one(tmp_path: Path, python: Path) -> None:
    server = AirflowServer(tmp_path / "home", 9, python=python, release=RELEASES["2.11.2"])
    server.prepare()
    (server.home / "airflow-webserver.pid").write_text(f"{os.getpid()}\n")
    before = (server.home / "secrets.json").read_text()
    with started(server) as told:
        assert [part["argv"][0] for part in told].count("db") == 1
    assert not (server.home / "airflow-webserver.pid").exists()
    assert (server.home / "secrets.json").read_text() == before


def test_each_release_has_a_lock_of_its_own_that_names_it() -> None:
    for name, release in RELEASES.items():
        assert f"\napache-airflow=={release.version} " in release.lock.read_text(), name
        assert "://" not in release.lock.read_text(), f"{release.lock.name} names where packages come from"
