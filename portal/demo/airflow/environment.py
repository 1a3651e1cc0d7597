"""A separate Python environment for each Airflow release, installed from the hashed lock file in requirements/."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from portal.demo.airflow.releases import AIRFLOW_3, Release
from portal.demo.waiting import SAY_EVERY, sizes

Report = Callable[[str], None]
SPACE_NEEDED = 600  # MB, for the environment and its downloads


class NotInstalled(Exception):
    """Airflow could not be installed. `str()` says why and what to do."""


def ensure_environment(folder: Path | None = None, report: Report = print, *, release: Release = AIRFLOW_3) -> Path:
    """Install `release` into `folder` (default: `release.folder`) unless it is installed. Returns its Python.

    Safe to call from several processes at once: the first one installs, the others wait for it. An installation that
    was interrupted, moved, or made from another lock file or Python is replaced. Raises NotInstalled.
    """
    folder = (folder or release.folder).resolve()
    python = folder / "bin" / "python"
    base, version = _base_python(release)
    wanted = _fingerprint(release, version)
    marker = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.with_name(f"{folder.name}.lock"), report):
        if python.exists() and marker.exists() and marker.read_text() == wanted and not _moved(folder):
            return python
        free = shutil.disk_usage(folder.parent).free // 2**20
        if free < SPACE_NEEDED:
            raise NotInstalled(
                f"Airflow {release.version} needs about {SPACE_NEEDED} MB in {folder.parent}; {free} MB are free."
            )
        report(f"installing Airflow {release.version} into {folder} (once)")
        _install(folder, release, base, report)
        marker.write_text(wanted)
    return python


def _base_python(release: Release) -> tuple[str, str]:
    """Path and version of the Python for the environment: ours, or an older one if ours is too new for the release."""
    newest = release.newest_python or sys.version_info[:2]
    if sys.version_info[:2] <= newest:
        return sys.executable, ".".join(map(str, sys.version_info[:2]))
    fitting = [f"3.{minor}" for minor in range(newest[1], 10, -1)]
    for version in fitting:
        if found := shutil.which(f"python{version}"):
            return found, version
    raise NotInstalled(
        f"Airflow {release.version} runs under Python {' or '.join(fitting)}; this is {sys.version.split()[0]}, and no "
        f"python{fitting[0]} was found. Install one; Gatehouse finds it by that name."
    )


def _moved(folder: Path) -> bool:
    """An environment's programs contain the path of their Python. Airflow 2 starts its tasks with such a program."""
    program = folder / "bin" / "airflow"
    return program.exists() and str(folder) not in program.read_text()


def _fingerprint(release: Release, python: str) -> str:
    lock = hashlib.sha256(release.lock.read_bytes()).hexdigest()
    return f"{lock} python {python}\n"


@contextmanager
def _only_one(path: Path, report: Report) -> Iterator[None]:
    """Hold a lock that the operating system releases even if this process is killed."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("another process is installing Airflow; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _install(folder: Path, release: Release, base: str, report: Report) -> None:
    """With uv if there is one. Without it, or if uv cannot reach its index, with pip and its own configuration."""
    python = str(folder / "bin" / "python")
    ways = [
        (
            [base, "-m", "venv", "--clear", str(folder)],
            [python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(release.lock)],
        )
    ]
    if uv := _uv():
        create = [*uv, "venv", "--quiet", "--clear", "--python", base, str(folder)]
        install = [*uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", str(release.lock)]
        ways.insert(0, (create, install))
    failures: list[str] = []
    for commands in ways:
        if (failure := _run(commands, lambda: report(_so_far(folder, release)))) is None:
            return
        failures.append(failure)
    raise NotInstalled(
        f"Airflow {release.version} could not be installed. It needs the network once, and a supported Python "
        f"(this is {sys.version.split()[0]}).\n" + "\n".join(failures)
    )


def _uv() -> list[str] | None:
    if importlib.util.find_spec("uv"):
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    return [found] if found else None


def _so_far(folder: Path, release: Release) -> str:
    return f"still installing Airflow {release.version}: {sizes([folder]) // 2**20} MB so far"


def _run(commands: Sequence[Sequence[str]], still: Callable[[], None] = lambda: None) -> str | None:
    """Run the commands one after the other. Returns the output of the first one that fails, or None.

    still: called every SAY_EVERY seconds while a command runs.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    for command in commands:
        with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            said = _finished(process, still)
        if process.returncode:
            return f"{' '.join(command[:4])}... ended with {process.returncode}:\n" + "\n".join(said.splitlines()[-15:])
    return None


def _finished(process: subprocess.Popen[str], still: Callable[[], None]) -> str:
    """The output of a process, after its end. If this process is told to end, the child is ended too."""
    try:
        while True:
            try:
                return process.communicate(timeout=SAY_EVERY)[0]
            except subprocess.TimeoutExpired:
                still()
    except BaseException:
        process.kill()
        raise
