"""A real Airflow for tests, started once per test run, also where pytest-xdist runs several processes.

Tests that want it mark themselves `real_airflow` and import the fixture: `from tests.real_airflow import real_airflow`.
They share it, so they use names of their own (`unique`).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from portal.demo.airflow import AirflowServer, NotInstalled, ensure_environment, ensure_service_accounts
from tests.conftest import missing

GRANTER = ("gatehouse-access", "granter's password")
RUNNER = ("gatehouse-runs", "runner's password")


@dataclass(frozen=True)
class RealAirflow:
    """Where it is, its administrator, and the two service accounts of Gatehouse (user name, password)."""

    url: str
    admin: tuple[str, str]
    granter: tuple[str, str] = GRANTER
    runner: tuple[str, str] = RUNNER


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}_{secrets.token_hex(5)}"


@pytest.fixture(scope="session")
def real_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAirflow]:
    """Airflow 3.3.2 with the demo's DAGs and the service accounts."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    try:
        python = ensure_environment()
    except NotInstalled as error:
        missing(str(error))
    with _shared_server(shared, python) as server:
        yield server


@contextmanager
def _shared_server(folder: Path, python: Path) -> Iterator[RealAirflow]:
    """The first process starts the server and ends it when no other process uses it any more."""
    known = folder / "airflow.json"
    with (folder / "airflow.users").open("a") as users:
        with _lock(folder / "airflow.start"):
            if known.exists():
                # held until this process ends, however it ends
                fcntl.flock(users, fcntl.LOCK_SH)
                found = json.loads(known.read_text())
                mine = None
            else:
                mine = AirflowServer(folder / "airflow", _free_port(), python=python)
                try:
                    mine.start()
                    mine.wait_until_ready()
                    ensure_service_accounts(mine, granter=GRANTER, runner=RUNNER)
                except BaseException:
                    mine.stop()
                    raise
                found = {"url": mine.url, "admin": list(mine.admin)}
                known.write_text(json.dumps(found))
        try:
            yield RealAirflow(found["url"], tuple(found["admin"]))
        finally:
            if mine:
                _wait_for_the_others(folder, users.fileno())
                known.unlink()
                mine.stop()


def _wait_for_the_others(folder: Path, users: int) -> None:
    while True:
        with _lock(folder / "airflow.start"):  # nobody new comes while we look
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                pass
        time.sleep(0.2)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
