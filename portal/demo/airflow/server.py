"""One real Airflow on this machine: prepared, started, watched and ended together. Loopback only."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from portal.demo.airflow import keeper
from portal.demo.airflow.environment import Report
from portal.demo.airflow.releases import AIRFLOW_3, DAGS, Release
from portal.demo.waiting import Waiting, sizes


class AirflowNotUp(Exception):
    """Airflow did not start. `str()` says what is missing and shows the end of its log."""


class AirflowServer:
    """`home` contains everything: database, secrets, logs. A later server with the same `home` uses all of it again.

    python: the Python of `ensure_environment`. admin: user name and password of the first account.
    accounts: for a release whose accounts are in its configuration, the other ones: user name -> (password, role).
    report: called with progress messages.
    `start()` and `wait_until_ready()` start it, `stop()` ends it. As a context manager it does all three.
    """

    def __init__(
        self,
        home: Path,
        port: int,
        *,
        python: Path,
        admin: tuple[str, str] = ("admin", "gatehouse-demo"),
        accounts: Mapping[str, tuple[str, str]] | None = None,
        dags: Path = DAGS,
        release: Release = AIRFLOW_3,
        report: Report = lambda line: None,
    ) -> None:
        self.home = home.absolute()
        self.port = port
        self.python = python
        self.admin = admin
        self.accounts = {**(accounts or {}), admin[0]: (admin[1], "admin")}
        self.dags = dags.absolute()
        self.release = release
        self.report = report
        self.logs = self.home / "logs" / "processes"
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """The process id of the keeper, while it runs."""
        return self._keeper.pid if self._keeper and self._keeper.poll() is None else None

    def __enter__(self) -> AirflowServer:
        try:
            self.start()
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def prepare(self) -> None:
        """Create the database and the first account, once per `home`. Raises AirflowNotUp."""
        done = self.home / "prepared"
        wanted = f"{self.release.name} {self.admin[0]}\n"
        self.logs.mkdir(parents=True, exist_ok=True)
        if self.release.accounts == "configuration":
            self._write_private("passwords.json", {name: password for name, (password, _) in self.accounts.items()})
        if done.exists() and done.read_text() == wanted:
            return
        self.report(f"creating the database of Airflow {self.release.version}")
        self.airflow("db", "migrate")
        if (file := self.home / "airflow.db").exists():
            with contextlib.closing(sqlite3.connect(file)) as database:
                database.execute("PRAGMA journal_mode=WAL")  # like Airflow 3: readers do not wait for writers
        if self.release.accounts == "database":
            self.report(f"creating the administrator of Airflow {self.release.version}")
            self.ensure_admin()
        done.write_text(wanted)

    def ensure_admin(self) -> None:
        """Create the account `admin` with the role Admin, unless it exists. Raises AirflowNotUp."""
        name, password = self.admin
        person = ("--username", name, "--firstname", "Airflow", "--lastname", "Admin", "--email", f"{name}@example.com")
        # the password is passed on standard input, because everybody on the machine can read arguments
        self.airflow("users", "create", "--role", "Admin", *person, given=f"{password}\n{password}\n")

    def start(self) -> None:
        """Prepare the server if needed and start its processes, without waiting for them. Raises AirflowNotUp."""
        if self.pid:
            return
        self.prepare()
        self.report(f"starting the processes of Airflow {self.release.version}")
        components = {
            name: [str(self.python), "-m", "airflow", *(self._fill(argument) for argument in arguments)]
            for name, arguments in self.release.components.items()
        }
        for stale in self.home.glob("*.pid"):  # of a killed server; the number may be reused by now
            stale.unlink()
        plan = self.home / "plan.json"
        plan.write_text(json.dumps({"components": components, "logs": str(self.logs)}))
        with (self.logs / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                [sys.executable, keeper.__file__, str(plan)],
                env=self._environment(),
                cwd=self.home,
                stdin=subprocess.PIPE,  # stays open while we run; the keeper ends when it closes
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End all its processes. Returns when they are gone. Does nothing if none runs."""
        process, self._keeper = self._keeper, None
        if process is None or process.stdin is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()
        try:
            process.wait(keeper.GRACE + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pid in keeper.session(process.pid):  # only if the keeper itself was killed
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def wait_until_ready(self, timeout: float = 300, *, dags: Iterable[str] | None = None) -> None:
        """Return when all components are healthy, the administrator can sign in, and the DAGs are known.

        timeout: seconds without any change, in what is missing and in the logs. dags: their ids; by default those of
        the files in the DAG folder. Raises AirflowNotUp.
        """
        wanted = set(dags) if dags is not None else {file.stem for file in self.dags.glob("*.py")}
        waiting = Waiting(still=timeout, say=self.report, moved=lambda: sizes([self.logs]))
        while missing := self._missing(wanted):
            if self.pid is None:
                raise AirflowNotUp(f"Airflow {self.release.version} ended while it was starting.\n{self.log_end()}")
            if not waiting.goes_on(missing):
                still = f"is not ready, and nothing has changed for {timeout:.0f} s: {missing}."
                raise AirflowNotUp(f"Airflow {self.release.version} {still}\n{self.log_end()}")
            time.sleep(0.3)
        if self.release.api == "v2":
            threading.Thread(target=self._warm_up, daemon=True).start()

    def _warm_up(self) -> None:
        """Call Airflow's task API once: the first call takes seconds, in which a task would time out."""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
            self._get("/execution/health")

    def log_end(self, lines: int = 15) -> str:
        """The last lines of each process's log."""
        parts = []
        for log in sorted(self.logs.glob("*.log")):
            if end := log.read_text(errors="replace").splitlines()[-lines:]:
                parts.append(f"--- end of {log}\n" + "\n".join(end))
        return "\n".join(parts)

    def _missing(self, dags: set[str]) -> str:
        """What is not ready yet, in words; empty if everything is ready."""
        try:
            health = self._get(self.release.health)
            for part in self.release.parts:
                if (health.get(part) or {}).get("status") != "healthy":
                    return f"the {part.replace('_', ' ')} is not healthy yet"
            listed = self._get(f"/api/{self.release.api}/dags?limit=100", authorization=self._authorization())
            found = {dag["dag_id"] for dag in listed["dags"]}
        except urllib.error.HTTPError as error:
            return f"{error.url} answers {error.code}"
        except (OSError, ValueError) as error:
            why = "nothing listens there yet" if refused(error) else error
            return f"{self.url} does not answer ({why})"
        return f"DAGs not parsed yet: {', '.join(sorted(dags - found))}" if dags - found else ""

    def _authorization(self) -> str:
        """The administrator's authorization: a password for Airflow 2, a token for Airflow 3."""
        username, password = self.admin
        if self.release.api == "v1":
            return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        body = json.dumps({"username": username, "password": password}).encode()
        return f"Bearer {self._get('/auth/token', body=body)['access_token']}"

    def _get(self, path: str, *, authorization: str = "", body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=headers)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback never goes through a proxy
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)

    def airflow(self, *arguments: str, given: str = "") -> None:
        """Run `airflow ...` with the server's settings and `given` on standard input. Raises AirflowNotUp."""
        done = subprocess.run(
            [str(self.python), "-m", "airflow", *arguments],
            env=self._environment(),
            cwd=self.home,
            input=given,
            start_new_session=True,  # with a terminal it would ask there for the password
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        (self.logs / f"{arguments[0]}-{arguments[1]}.log").write_text(done.stdout)
        if done.returncode:
            end = "\n".join(done.stdout.splitlines()[-15:])
            raise AirflowNotUp(f"`airflow {arguments[0]} {arguments[1]}` ended with {done.returncode}.\n{end}")

    def _fill(self, text: str) -> str:
        roles = ",".join(f"{name}:{role}" for name, (_, role) in self.accounts.items())
        return text.format(
            port=self.port, url=self.url, home=self.home, dags=self.dags, accounts=roles, **self._secrets()
        )

    def _environment(self) -> dict[str, str]:
        """Our environment without variables that would change Airflow, plus the settings of the release."""
        unwanted = ("AIRFLOW", "PYTHON", "VIRTUAL_ENV", "DJANGO_", "GATEHOUSE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
        settings = {name: self._fill(value) for name, value in self.release.settings.items()}
        # Airflow 2's executor starts tasks with the first `airflow` in PATH
        path = os.pathsep.join([str(self.python.parent), os.environ.get("PATH", os.defpath)])
        quiet = {"PYTHONUNBUFFERED": "1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        return kept | settings | quiet | {"PATH": path}

    def _secrets(self) -> dict[str, str]:
        """Created once and stored in `home`. With new keys after a restart, every valid token would be refused."""
        if not (self.home / "secrets.json").exists():
            made = {name: secrets.token_urlsafe(48) for name in ("jwt_secret", "session_secret")}
            made["fernet_key"] = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
            self._write_private("secrets.json", made)
        kept: dict[str, str] = json.loads((self.home / "secrets.json").read_text())
        return kept

    def _write_private(self, name: str, values: Mapping[str, str]) -> None:
        file = self.home / name
        file.touch(mode=0o600)
        file.write_text(json.dumps(values))


def refused(error: Exception) -> bool:
    """Whether nobody listens on the port, because the process is still loading."""
    return isinstance(getattr(error, "reason", error), ConnectionRefusedError)
