"""Does what the settings name answer, and is it what it should be? Each check says what it found, or what to do."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from portal.catalogue import loader, secrets
from portal.catalogue.mistakes import FileRefused
from portal.celery import app


@dataclass(frozen=True)
class Result:
    name: str
    ok: bool
    said: str


def run() -> list[Result]:
    return [database(), broker(), *config_file()]


def database() -> Result:
    """It answers, and its tables are those of this release."""
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, ImproperlyConfigured, OSError) as error:
        return Result("database", False, f"it does not answer: {str(error).strip()}")
    if plan:
        return Result("database", False, f"{len(plan)} migration(s) are missing. Run manage.py migrate.")
    return Result("database", True, f"{connection.vendor} answers and is up to date")


def broker() -> Result:
    """It takes a connection within the time a page would give it."""
    link = app.connection_for_write()
    try:
        link.connect()
    except ImportError as error:
        return Result("broker", False, f"{error}. Install requirements/server.txt.")
    except Exception as error:  # whatever a broker's client raises
        return Result("broker", False, f"{link.as_uri()} does not answer: {error}")
    finally:
        link.release()
    return Result("broker", True, f"{link.as_uri()} answers")


def config_file() -> list[Result]:
    """It parses and refers to what exists; the secrets it names can be read."""
    path = settings.CONFIG_FILE
    try:
        document = loader.load(path).document
    except FileRefused as refused:
        return [Result("config file", False, refused.detail)]
    results = [Result("config file", True, f"{path} is well-formed")]
    for name, deployment in document.deployments.items():
        for account in ("granter", "runner"):
            spec = getattr(deployment, account).password.model_dump(exclude_none=True)
            try:
                secrets.resolve(spec)
            except secrets.SecretMissing as error:
                results.append(Result(f"secret of {name}'s {account}", False, str(error)))
            else:
                where = " ".join(f"{kind} {place}" for kind, place in spec.items())
                results.append(Result(f"secret of {name}'s {account}", True, f"found in {where}"))
    return results
