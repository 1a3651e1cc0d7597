"""Checks that what the settings name answers and is usable. Each check says what it found, or what to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection
from django.db.migrations.executor import MigrationExecutor

from portal.airflow.service_accounts import ACCOUNTS
from portal.catalogue import loader, secrets, values
from portal.catalogue.mistakes import FileRefused
from portal.celery import app
from portal.core import clock
from portal.serving import deploy_checks
from portal.worker import readiness


@dataclass(frozen=True)
class Result:
    name: str
    ok: bool
    said: str
    warning: bool = False
    """It works, but people should know of it."""


def run() -> list[Result]:
    return [database(), *clocks(), broker(), *config_file(), *production()]


def production() -> list[Result]:
    """Warnings for production: settings that work but should be changed."""
    return [
        Result(str(one.id), not one.is_serious(), f"{one.msg} {one.hint or ''}".strip(), warning=True)
        for one in deploy_checks.findings()
    ]


def database() -> Result:
    """The database answers, and its tables are those of this release."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, InterfaceError, ImproperlyConfigured, OSError) as error:
        return Result("database", False, f"it does not answer: {str(error).strip()}")
    if plan:
        return Result("database", False, f"{len(plan)} migration(s) were not applied. Run manage.py migrate.")
    return Result("database", True, f"{connection.vendor} answers and is up to date")


def clocks() -> list[Result]:
    """How far this host's clock is from the database's clock, if the database has its own."""
    try:
        if not clock.has_own_clock() or clock.measure() is None:
            return []
    except (DatabaseError, InterfaceError, ImproperlyConfigured, OSError):  # `database` reports it
        return []
    ahead = clock.ahead().total_seconds()
    if not readiness.is_notable(ahead):
        return [Result("clock", True, "this host's clock agrees with the database's")]
    said = f"this host's clock is {readiness.apart(ahead)} the database's, which the portal uses. Correct it."
    return [Result("clock", True, said, warning=True)]


def broker() -> Result:
    """The broker accepts a connection within the time that a page would wait."""
    link = app.connection_for_write()
    try:
        link.connect()
    except ImportError as error:
        return Result("broker", False, f"{error}. Install requirements/server.txt.")
    except Exception as error:  # each broker's client has its own exceptions
        return Result("broker", False, f"{link.as_uri()} does not answer: {error}")
    finally:
        link.release()
    return Result("broker", True, f"{link.as_uri()} answers")


def config_file() -> list[Result]:
    """The file can be parsed, its references exist, and the secrets that it names can be read."""
    path = settings.CONFIG_FILE
    try:
        document = loader.load(path).document
    except FileRefused as refused:
        return [Result("config file", False, refused.detail)]
    results = [Result("config file", True, f"{path} is well-formed")]
    for name, deployment in document.deployments.items():
        for account in ACCOUNTS:
            for field, spec in getattr(deployment, account).secrets.items():
                results.append(_secret(f"{field} of {name}'s {account}", spec.as_json()))
        if values.is_in_the_open(deployment.url):
            said = f"plain http to another machine: passwords and tokens of {name} are sent unencrypted"
            results.append(Result(f"address of {name}", True, said, warning=True))
        if deployment.ca_bundle and not Path(deployment.ca_bundle).is_file():
            said = f"ca_bundle = {deployment.ca_bundle}: this file does not exist"
            results.append(Result(f"certificates of {name}", False, said))
    return results


def _secret(name: str, spec: dict[str, str]) -> Result:
    try:
        secrets.resolve(spec)
    except secrets.SecretMissing as error:
        return Result(name, False, str(error))
    return Result(name, True, f"found in {' '.join(f'{kind} {place}' for kind, place in spec.items())}")
