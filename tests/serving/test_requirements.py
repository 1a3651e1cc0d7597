"""Each requirements file is sufficient: the portal's processes start with its packages alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import free_port, new_database
from tests.serving.test_postgres_and_redis import answers
from tests.serving.test_serve import REPOSITORY, environment
from tests.serving.waiting import end, until


@pytest.fixture
def alone(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The Python of an environment with requirements/<param>.txt alone; from uv's cache where that has it."""
    venv = tmp_path_factory.mktemp(f"alone-{request.param}") / "venv"
    uv = [sys.executable, "-m", "uv"]
    subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, venv], check=True)
    python = venv / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--require-hashes", "--python", python]
    install += ["-r", REPOSITORY / "requirements" / f"{request.param}.txt"]
    if subprocess.run([*install, "--offline"], capture_output=True).returncode:
        subprocess.run(install, check=True)
    return python


def starts(python: Path, folder: Path, **more: str) -> None:
    port = free_port()
    kept = environment(folder, GATEHOUSE_PUBLIC_URL=f"http://127.0.0.1:{port}", **more)
    log = folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [python, "manage.py", "serve", "--port", str(port)],
            cwd=REPOSITORY,
            env={name: value for name, value in kept.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        # readiness needs heartbeats of web, worker and beat
        ready = f"http://127.0.0.1:{port}/health/ready"
        until(lambda: answers(ready) or process.poll() is not None, what="the portal answers", within=180)
        assert process.poll() is None, log.read_text()[-4000:]
        until(lambda: "ready." in log.read_text(), what="the worker has its broker", within=60)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        end(process)
        shutil.rmtree(python.parents[1], ignore_errors=True)


@pytest.mark.parametrize("alone", ["base"], indirect=True)
def test_base_is_enough_on_sqlite(alone: Path, tmp_path: Path) -> None:
    starts(alone, tmp_path)


@pytest.mark.parametrize("alone", ["server"], indirect=True)
def test_server_is_enough_on_postgresql_and_redis(
    alone: Path, tmp_path: Path, postgres_url: str, redis_url: str
) -> None:
    database = new_database(postgres_url, "requirements")
    starts(alone, tmp_path, GATEHOUSE_DATABASE_URL=database, GATEHOUSE_BROKER_URL=redis_url)


def test_every_file_of_requirements_is_tried() -> None:
    """The requirements files of Airflow and of the benchmark are for other programs."""
    ours = {path.stem for path in (REPOSITORY / "requirements").glob("*.txt")}
    others = {name for name in ours if name.startswith(("airflow-", "bench-"))}
    assert ours - others == {"base", "server", "dev", "uv"}  # dev runs this test, uv installs
