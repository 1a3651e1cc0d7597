"""Real Airflows for tests: one server of a release at a time, started when a test first asks for it.

A test that wants one carries the mark `on(release)` and asks for a fixture of tests/conftest.py: `real_airflow` is
Airflow 3.3.2, `real_airflows.get("2.11.2")` any release. By the mark all tests of a release come one after the other,
and `pytest -m "real_airflow(release='2.11.2')"` runs them alone. They share a server, so they use names of their own
(`unique`).

They use PostgreSQL, unlike the demo's. On SQLite, Airflow 3 waits for the database on the thread that would let go of
it: of two changes at one moment one is answered 500 after five seconds, and a scheduler that waits as long ends.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from portal.demo.airflow import (
    RELEASES,
    AirflowNotUp,
    AirflowServer,
    NotInstalled,
    ensure_environment,
    ensure_service_accounts,
)
from portal.demo.airflow.releases import DAGS, REPOSITORY
from tests.conftest import missing
from tests.services import free_port, new_database

GRANTER = ("gatehouse-access", "granter's password")
RUNNER = ("gatehouse-runs", "runner's password")
# where accounts are configuration: the roles nearest to what these two may do elsewhere
CONFIGURED = {GRANTER[0]: (GRANTER[1], "viewer"), RUNNER[0]: (RUNNER[1], "op")}
CONFIG = str(Path(__file__).with_name("airflow_config.py"))
SETTINGS = {
    "AIRFLOW__FAB__CONFIG_FILE": CONFIG,  # of Airflow 3
    "AIRFLOW__WEBSERVER__CONFIG_FILE": CONFIG,  # of Airflow 2
    # a file is read again when it has changed, and otherwise seldom: each takes a process of its own
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "120",
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",  # Airflow 2: before that a change of the file is nothing
}
ON_POSTGRES = {"2.11.2": {"AIRFLOW__CORE__EXECUTOR": "LocalExecutor"}}
"""What a release can only do there."""
DRIVERS = REPOSITORY / "requirements" / "airflow-postgres.txt"
CONTRACT_DAGS = Path(__file__).resolve().parent / "contract" / "dags"
EXAMPLE_DAGS = "airflow/example_dags"
EXAMPLES = ("example_dag_decorator", "example_params_trigger_ui", "example_params_ui_tutorial")
"""Airflow's own example DAGs with parameters that are copied."""


@dataclass(frozen=True)
class RealAirflow:
    """A running server, its administrator and the two service accounts of Gatehouse (user name, password)."""

    server: AirflowServer
    dags: Path
    """Its own copy of the demo's DAG files, with those of the contract suite and Airflow's examples with parameters."""
    granter: tuple[str, str] = GRANTER
    runner: tuple[str, str] = RUNNER

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def admin(self) -> tuple[str, str]:
        return self.server.admin

    @property
    def release(self) -> str:
        return self.server.release.name

    @property
    def api(self) -> str:
        return self.server.release.api


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}_{secrets.token_hex(5)}"


def on(release: str) -> pytest.MarkDecorator:
    """The mark of a test that wants this release of a real Airflow."""
    return pytest.mark.real_airflow(release=release)


class RealAirflows:
    """Starts what is asked for in a new folder below `folder`, and ends it when another is asked for.

    postgres: the address of a server on which each gets a database of its own.
    """

    def __init__(self, folder: Path, postgres: str) -> None:
        self._folder = folder
        self._postgres = postgres
        self._server: AirflowServer | None = None
        self._running: RealAirflow | None = None
        self._broken: dict[str, AirflowNotUp] = {}

    def get(self, name: str) -> RealAirflow:
        """The release of that name, with the demo's DAGs and the service accounts."""
        if not self._running or self._running.release != name:
            self.close()
            try:
                python = ensure_environment(release=RELEASES[name])
                _ensure_drivers(python)
            except NotInstalled as error:
                missing(str(error))
            if name in self._broken:  # not again for each of its tests
                raise self._broken[name]
            try:
                self._running = self._start(name, python)
            except AirflowNotUp as error:
                self._broken[name] = error
                raise
        return self._running

    def close(self) -> None:
        if self._server:
            self._server.stop()
        self._server = self._running = None

    def _start(self, name: str, python: Path) -> RealAirflow:
        home, release = self._folder / unique(name), RELEASES[name]
        database = new_database(self._postgres, unique("airflow"))
        kept = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database.replace("postgres://", "postgresql+psycopg2://")}
        more = {**SETTINGS, **ON_POSTGRES.get(name, {}), **kept}
        release = replace(release, settings={**release.settings, **more})
        dags = home / "dags"
        dags.mkdir(parents=True)
        examples = [
            file for name in EXAMPLES for file in python.parent.parent.glob(f"lib/*/*/{EXAMPLE_DAGS}/{name}.py")
        ]
        for file in (*DAGS.glob("*.py"), *CONTRACT_DAGS.glob("*.py"), *examples):
            shutil.copy(file, dags)
        self._server = AirflowServer(home, free_port(), python=python, release=release, accounts=CONFIGURED, dags=dags)
        self._server.start()
        self._server.wait_until_ready(dags={file.stem for file in DAGS.glob("*.py")})
        if release.accounts == "database":
            ensure_service_accounts(self._server, granter=GRANTER, runner=RUNNER, api=release.api)
        return RealAirflow(self._server, dags)


def _ensure_drivers(python: Path) -> None:
    """Nothing happens where they are. Raises NotInstalled."""
    command = ["uv", "pip", "install", "--quiet", "--python", str(python), "--require-hashes", "-r", str(DRIVERS)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True)
    if done.returncode:
        raise NotInstalled(f"requirements/{DRIVERS.name} could not be installed: {done.stderr.strip()}")
