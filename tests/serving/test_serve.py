"""`manage.py serve` and `manage.py check_config` as their users run them; the time limit for a dead broker."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.waiting import end, until

# a request that is never completed
UNFINISHED = [
    b"",
    b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
    b"POST /api/v1/requests HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{",
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\nlogin=",
    b"POST /login HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nlogin\r\n",
    b"POST /login HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n",
]
REPOSITORY = Path(__file__).resolve().parents[2]


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GATEHOUSE_", "DJANGO_"))}
    return kept | {"GATEHOUSE_DATA_DIR": str(folder), "GATEHOUSE_CONFIG": str(folder / "gatehouse.toml")} | more


def manage(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=REPOSITORY,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=90,
    )


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_a_busy_port_is_an_error_that_names_it(tmp_path: Path, silent: int) -> None:
    done = manage(tmp_path, "serve", "--port", str(silent))
    assert done.returncode == 1
    assert f"Port {silent} on 127.0.0.1 is in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_serve_answers_and_ends_with_all_its_processes(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "manage.py", "serve", "--port", str(port)],
        cwd=REPOSITORY,
        env=environment(tmp_path),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def ready() -> bool:
        try:
            with opener.open(f"http://127.0.0.1:{port}/health/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def processes() -> list[str]:
        """The processes with this portal's data folder in their environment."""
        wanted, found = f"GATEHOUSE_DATA_DIR={tmp_path}".encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes():
                    found.append(entry.name)
            except OSError:
                continue
        return found

    try:
        until(ready, what="the portal answers", within=90)
        assert len(processes()) >= 5
        with contextlib.ExitStack() as held:
            for start in UNFINISHED * 40:
                slow = held.enter_context(socket.create_connection(("127.0.0.1", port)))
                slow.sendall(start)
            for path in ("/health/live", "/health/ready", "/login"):
                with opener.open(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                    assert answer.status == 200, path
        process.terminate()
        assert process.wait(15) == 0
        assert processes() == []
    finally:
        end(process)


def test_check_config_reports_errors_and_how_to_correct_them(tmp_path: Path) -> None:
    done = manage(tmp_path, "check_config", "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    said = {check["name"]: (check["ok"], check["said"]) for check in found["checks"]}
    assert said["broker"][0]
    assert not said["database"][0]
    assert "manage.py migrate" in said["database"][1]
    assert "catalogue init" in said["config file"][1]
    assert {"GATEHOUSE_DATABASE_URL", "GATEHOUSE_BROKER_URL"} <= {setting["name"] for setting in found["settings"]}


def test_check_config_accepts_correct_settings_and_names_a_missing_secret(tmp_path: Path) -> None:
    (tmp_path / "gatehouse.toml").write_text((REPOSITORY / "demo" / "gatehouse.toml").read_text())
    assert manage(tmp_path, "migrate", "--verbosity", "0").returncode == 0
    given = {"AIRFLOW_DEMO_ACCESS": "hush-access", "AIRFLOW_DEMO_RUNS": "hush-runs", "GATEHOUSE_SECRET_KEY": "k" * 40}
    done = manage(tmp_path, "check_config", **given)
    assert done.returncode == 0, done.stdout
    assert not [secret for secret in given.values() if secret in done.stdout + done.stderr]
    del given["AIRFLOW_DEMO_RUNS"]
    lacking = manage(tmp_path, "check_config", **given)
    assert lacking.returncode == 1
    assert "AIRFLOW_DEMO_RUNS is not set" in lacking.stdout


@pytest.mark.parametrize(
    ("url", "secure", "names", "hsts"),
    [
        ("https://gatehouse.example.com", "True", ("'__Host-session'", "'__Host-csrf'"), "31536000"),
        ("http://127.0.0.1:8000", "False", ("'gatehouse_session'", "'gatehouse_csrf'"), "0"),
    ],
)
def test_cookies_are_as_strict_as_the_address_allows(
    tmp_path: Path, url: str, secure: str, names: tuple[str, str], hsts: str
) -> None:
    done = manage(tmp_path, "diffsettings", "--all", GATEHOUSE_PUBLIC_URL=url, GATEHOUSE_TRUSTED_PROXIES="10.0.0.5")
    told = dict(line.removeprefix("### ").split(" = ", 1) for line in done.stdout.splitlines() if " = " in line)
    assert (told["SESSION_COOKIE_SECURE"], told["CSRF_COOKIE_SECURE"]) == (secure, secure)
    assert (told["SESSION_COOKIE_NAME"], told["CSRF_COOKIE_NAME"]) == names
    assert (told["SESSION_COOKIE_HTTPONLY"], told["CSRF_COOKIE_HTTPONLY"]) == ("True", "True")
    assert (told["SESSION_COOKIE_SAMESITE"], told["CSRF_COOKIE_SAMESITE"]) == ("'Lax'", "'Lax'")
    assert told["SECURE_HSTS_SECONDS"] == hsts


def test_check_config_with_an_unreadable_setting(tmp_path: Path) -> None:
    done = manage(tmp_path, "check_config", GATEHOUSE_BROKER_URL="carrier-pigeon://loft")
    assert done.returncode == 2
    assert "carrier-pigeon" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_does_not_answer_times_out(tmp_path: Path, silent: int, scheme: str) -> None:
    """Without a timeout this call never returns. The limit is generous, for a busy machine."""
    code = (
        "import portal.celery as c\n"
        "try: c.app.send_task('portal.worker.tasks.run_operation', args=[1], retry=False)\n"
        "except Exception as error: print('given up', type(error).__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env=environment(tmp_path, GATEHOUSE_BROKER_URL=f"{scheme}://127.0.0.1:{silent}/"),
        capture_output=True,
        text=True,
        timeout=45,
    )
    assert "given up" in done.stdout, done.stderr
