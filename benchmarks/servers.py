"""What is measured against: the stand-in, or a real Airflow 3.3.2."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from airflow_bridge import PasswordAuth, connect
from benchmarks.clients.timed import ACCOUNT
from benchmarks.environments import FOLDER, HOME
from portal.demo.airflow import AirflowServer, ensure_environment

MANY_DAGS = """from airflow.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator

for number in range({count}):
    with DAG(f"dag_{{number:05}}", schedule=None, tags=["many"]):
        EmptyOperator(task_id="work")
"""


@dataclass(frozen=True)
class Server:
    url: str
    counts_requests: bool

    def requests(self) -> int | None:
        """How many came in since this was last asked; None where nobody counts."""
        if not self.counts_requests:
            return None
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/requests") as answer:
            return int(json.load(answer)["requests"])


@contextmanager
def stand_in(*, latency: float, users: int, dags: int) -> Iterator[Server]:
    """latency: seconds before every answer."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.stand_in", str(latency), str(users), str(dags)],
        cwd=HOME,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process, process.stdin, process.stdout:
        yield Server(process.stdout.readline().strip(), counts_requests=True)


@contextmanager
def real(*, users: int, dags: int) -> Iterator[Server]:
    """Airflow 3.3.2; what it has is made once (a minute or more) and kept."""
    home = FOLDER / "airflow"
    (home / "dags").mkdir(parents=True, exist_ok=True)
    (home / "dags" / "many.py").write_text(MANY_DAGS.format(count=dags))
    server = AirflowServer(home, _free_port(), python=ensure_environment(), admin=ACCOUNT, dags=home / "dags")
    try:
        server.start()
        server.wait_until_ready(dags=["dag_00000"])  # all are of one file
        _add_users(server, users)
        yield Server(server.url, counts_requests=False)
    finally:
        server.stop()


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _add_users(server: AirflowServer, count: int) -> None:
    """`count` in all, the administrator among them. By Airflow's own import: on SQLite it does one thing at a time."""
    with closing(connect(name="bench", url=server.url, api="v2", auth=PasswordAuth(*ACCOUNT))) as airflow:
        there = {user.username for user in airflow.users()}
    names = [name for number in range(count - 1) if (name := f"person_{number:05}") not in there]
    person = {"firstname": "First", "lastname": "Last", "roles": ["Viewer"]}
    people = [{"username": name, "email": f"{name}@example.com", **person} for name in names]
    if people:
        file = server.home / "people.json"
        file.write_text(json.dumps(people))
        server.airflow("users", "import", str(file))
