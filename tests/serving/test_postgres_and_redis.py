"""The portal on PostgreSQL and Redis: a request by API is given in Airflow."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.factories import CATALOGUE, SECRETS, WRITTEN_URL, fake_airflow
from tests.services import free_port, new_database
from tests.serving.test_serve import REPOSITORY, environment, manage
from tests.serving.waiting import end, until


def call(url: str, token: str, body: dict[str, str] | None = None) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    return json.loads(urllib.request.urlopen(request, timeout=20).read())


def manage_ok(folder: Path, more: dict[str, str], *command: str) -> str:
    done = manage(folder, *command, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False


def test_a_requested_role_is_given(tmp_path: Path, postgres_url: str, redis_url: str) -> None:
    with fake_airflow() as airflow:
        (tmp_path / "gatehouse.toml").write_text(CATALOGUE.read_text().replace(WRITTEN_URL, airflow.url))
        port = free_port()
        more = {
            "GATEHOUSE_DATABASE_URL": new_database(postgres_url, "serving"),
            "GATEHOUSE_BROKER_URL": redis_url,
            "GATEHOUSE_PUBLIC_URL": f"http://127.0.0.1:{port}",
            **SECRETS,
        }
        manage_ok(tmp_path, more, "migrate", "--verbosity=0")
        manage_ok(tmp_path, more, "catalogue", "apply")
        manage_ok(tmp_path, more, "person", "add", "employee", "--email=employee@example.com", "--group=data")
        scopes = ["--scope=read", "--scope=request"]
        token = manage_ok(tmp_path, more, "token", "create", "--user=employee", *scopes, "--days=1")
        log = tmp_path / "serve.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "manage.py", "serve", "--port", str(port)],
                cwd=REPOSITORY,
                env=environment(tmp_path, **more),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        try:
            api = f"http://127.0.0.1:{port}/api/v1"
            until(lambda: answers(f"http://127.0.0.1:{port}/health/ready"), what="the portal answers", within=90)
            wanted = {"entitlement": "demo/role/Viewer", "duration": "PT1H", "reason": "a look at the logs"}
            asked = call(f"{api}/requests", token, wanted)
            grant = f"{api}/grants/{asked['grant']}"
            until(lambda: call(grant, token)["status"] == "active", what="the grant is active", within=90)
            assert "Viewer" in airflow.roles_of("employee")
            process.terminate()
            assert process.wait(30) == 0
        finally:
            end(process)
