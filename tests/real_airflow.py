"""Real Airflows for tests, each started once per test run, also where pytest-xdist runs several processes.

Tests that want one mark themselves `real_airflow` and ask for a fixture of tests/conftest.py: `real_airflow` is Airflow
3.3.2, `real_airflows.get("2.11.2")` any release. They share them, so they use names of their own (`unique`). The two
main releases run side by side until the tests end; of the others only one at a time, so tests that want those are best
run release by release.
"""

from __future__ import annotations

import fcntl
import json
import secrets
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from portal.demo.airflow import (
    RELEASES,
    AirflowServer,
    NotInstalled,
    Release,
    ensure_environment,
    ensure_service_accounts,
)
from portal.demo.airflow.releases import DAGS
from tests.conftest import missing

GRANTER = ("gatehouse-access", "granter's password")
RUNNER = ("gatehouse-runs", "runner's password")
# where accounts are configuration: the roles nearest to what these two may do elsewhere
CONFIGURED = {GRANTER[0]: (GRANTER[1], "viewer"), RUNNER[0]: (RUNNER[1], "op")}
MAIN = ("3.3.2", "2.11.2")
CONTRACT_DAGS = Path(__file__).resolve().parent / "contract" / "dags"


@dataclass(frozen=True)
class RealAirflow:
    """Where it is, its administrator, and the two service accounts of Gatehouse (user name, password)."""

    url: str
    admin: tuple[str, str]
    granter: tuple[str, str] = GRANTER
    runner: tuple[str, str] = RUNNER
    release: str = "3.3.2"
    api: str = "v2"
    dags: Path = DAGS
    """Its own copy of the demo's DAG files, with those of the contract suite."""


def unique(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}_{secrets.token_hex(5)}"


class RealAirflows:
    """Starts what is asked for. `folder` is the same for all processes of a test run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._main = ExitStack()
        self._other = ExitStack()
        self._running: dict[str, RealAirflow] = {}

    def get(self, name: str) -> RealAirflow:
        """The release of that name, with the demo's DAGs and the service accounts."""
        if name not in self._running:
            release = RELEASES[name]
            try:
                python = ensure_environment(release=release)
            except NotInstalled as error:
                missing(str(error))
            if name not in MAIN:
                self._end_other()
            stack = self._main if name in MAIN else self._other
            self._running[name] = stack.enter_context(_shared_server(self._folder / name, python, release))
        return self._running[name]

    def close(self) -> None:
        self._end_other()
        self._main.close()
        self._running.clear()

    def _end_other(self) -> None:
        self._other.close()
        self._running = {name: running for name, running in self._running.items() if name in MAIN}


@contextmanager
def _shared_server(folder: Path, python: Path, release: Release) -> Iterator[RealAirflow]:
    """The first process starts the server and ends it when no other process uses it any more."""
    folder.mkdir(parents=True, exist_ok=True)
    known = folder / "airflow.json"
    with (folder / "airflow.users").open("a") as users:
        with _lock(folder / "airflow.start"):
            if known.exists():
                # held until this process is done with it, also when it is killed
                fcntl.flock(users, fcntl.LOCK_SH)
                found = json.loads(known.read_text())
                mine = None
            else:
                mine = _start(folder, python, release)
                found = {"url": mine.url, "admin": list(mine.admin)}
                known.write_text(json.dumps(found))
        try:
            yield RealAirflow(
                found["url"], tuple(found["admin"]), release=release.name, api=release.api, dags=folder / "dags"
            )
        finally:
            if mine:
                _end(mine, folder, known, users.fileno())


def _start(folder: Path, python: Path, release: Release) -> AirflowServer:
    dags = folder / "dags"
    dags.mkdir()
    for file in (*DAGS.glob("*.py"), *CONTRACT_DAGS.glob("*.py")):
        shutil.copy(file, dags)
    server = AirflowServer(
        folder / "home", _free_port(), python=python, release=release, accounts=CONFIGURED, dags=dags
    )
    try:
        server.start()
        server.wait_until_ready(dags={file.stem for file in DAGS.glob("*.py")})
        if release.accounts == "database":
            ensure_service_accounts(server, granter=GRANTER, runner=RUNNER, api=release.api)
    except BaseException:
        server.stop()
        raise
    return server


def _end(server: AirflowServer, folder: Path, known: Path, users: int) -> None:
    while True:
        with _lock(folder / "airflow.start"):  # nobody new comes while we look, nor before it is gone
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                known.unlink()
                server.stop()
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
