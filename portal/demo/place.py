"""The demo's folders, and the environment of its processes. Standard library only."""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / ".demo"
DATA = FOLDER / "data"
CONFIG = FOLDER / "gatehouse.toml"
LOGS = FOLDER / "logs"
SECRETS = FOLDER / "secrets.json"
DEMO_JSON = FOLDER / "demo.json"
ALLOWED = {"GATEHOUSE_LOG_LEVEL"}
STARTED = "DEMO_STARTED"
HOST = "127.0.0.1"  # the passwords are public, so the demo must not be reachable from other machines


class NotTheDemo(Exception):
    """The environment belongs to another portal. `str()` says what to do."""


def check_environment() -> None:
    """Raises NotTheDemo: the demo has its own settings and must never touch a real portal's data."""
    foreign = sorted(name for name in os.environ if name.startswith("GATEHOUSE_") and name not in ALLOWED)
    if os.environ.get("DJANGO_SETTINGS_MODULE", "portal.settings") != "portal.settings":
        foreign.append("DJANGO_SETTINGS_MODULE")
    if foreign:
        without = " ".join(f"-u {name}" for name in foreign)
        raise NotTheDemo(
            f"The demo works on its own data in {FOLDER.name}/ only, but this environment is set up for another "
            f"portal: {', '.join(foreign)}.\nStart it without: env {without} make demo"
        )


def enter() -> None:
    """Select the demo's data for this process. Call this before Django's settings are read. Raises NotTheDemo."""
    check_environment()
    os.environ.update({"GATEHOUSE_DATA_DIR": str(DATA), "GATEHOUSE_CONFIG": str(CONFIG)})


def check_entered() -> None:
    """Raises NotTheDemo if Django's settings were read for another portal before `enter`."""
    if os.environ.get("GATEHOUSE_DATA_DIR") != str(DATA):
        raise NotTheDemo("Start the demo with `make demo`, or with `manage.py demo` from a shell.")


def address(port: int) -> str:
    return f"http://{HOST}:{port}"


def environment(*, url: str, deployments: Iterable[str] = ("demo",)) -> dict[str, str]:
    """The variables for `manage.py` to use the demo at `url`. Creates its secrets if there are none.

    deployments: their names. Each has two secrets.
    """
    names = [name for deployment in deployments for name in secrets_of(deployment)]
    return {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "GATEHOUSE_DATA_DIR": str(DATA),
        "GATEHOUSE_CONFIG": str(CONFIG),
        "GATEHOUSE_DEMO": "true",
        "GATEHOUSE_PUBLIC_URL": url,
        **{name: kept(name, make=lambda: secrets.token_urlsafe(32)) for name in names},
    }


def secrets_of(deployment: str) -> tuple[str, str]:
    """The variables with the passwords of Gatehouse's two accounts: granter, runner."""
    return f"AIRFLOW_{deployment.upper()}_ACCESS", f"AIRFLOW_{deployment.upper()}_RUNS"


def kept(name: str, *, make: Any) -> Any:
    """A value of secrets.json. If it is missing, `make()` creates it."""
    values = json.loads(SECRETS.read_text()) if SECRETS.exists() else {}
    if name not in values:
        keep(name, make())
        return kept(name, make=make)
    return values[name]


def keep(name: str, value: Any) -> None:
    values = json.loads(SECRETS.read_text()) if SECRETS.exists() else {}
    write_private(SECRETS, json.dumps({**values, name: value}, indent=1))


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable only by its owner."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(path)


def say(line: str) -> None:
    """One line of progress with the seconds since the start."""
    elapsed = time.time() - float(os.environ[STARTED])
    sys.stdout.write(f"{elapsed:6.1f} s  {line}\n")
    sys.stdout.flush()
