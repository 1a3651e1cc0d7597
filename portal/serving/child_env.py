"""The environment of each child process: what it needs, without secrets of accounts that only other processes use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from django.conf import settings
from django.db import DatabaseError, InterfaceError

from portal.catalogue import loader
from portal.catalogue.mistakes import FileRefused
from portal.catalogue.models import Deployment

EVERYBODY = re.compile(
    r"GATEHOUSE_\w+|DJANGO_SETTINGS_MODULE|DEMO_STARTED|PATH|HOME|USER|LOGNAME|SHELL|TERM|TMPDIR|TE?MP"
    r"|LANG|LANGUAGE|LC_\w+|LOCPATH|TZ|TZDIR|VIRTUAL_ENV|PYTHON\w*|LD_\w+|PG\w+|KRB5\w+|OPENSSL_\w+|SSL_CERT_\w+"
    r"|(?:REQUESTS|CURL)_CA_BUNDLE|(?:HTTPS?|ALL|NO)_PROXY",
    re.IGNORECASE,
)
"""Variables read by the system, Python, TLS libraries, proxies and libpq (with Kerberos)."""
LIVE_READS = re.compile(r"AWS_\w+|GOOGLE_\w+|CLOUDSDK_\w+|BOTO\w+|NO_GCE_CHECK|GCE_\w+")
"""Variables read by boto3 and google-auth, for runner accounts that sign in with them."""


def names_for(child: str, environ: Mapping[str, str], *, runner: Iterable[str]) -> list[str] | None:
    """The variables that the process `child` gets. None: all of them, for the worker, which uses every account.

    runner: the variables with secrets of the runner accounts. Pages read Airflow through these accounts, so the web
    process gets them. Only the worker gets the secrets of the granter accounts, which change access.
    """
    if child == "worker":
        return None
    web = set(runner) if child == "web" else set()
    return sorted(
        name
        for name in environ
        if name in web or EVERYBODY.fullmatch(name) or (child == "web" and LIVE_READS.fullmatch(name))
    )


def runner_variables() -> set[str]:
    """The variables with secrets of runner accounts, in the catalogue in force and in the catalogue file."""
    found: set[str] = set()
    try:
        for deployment in Deployment.objects.filter(retired_at=None):
            account = deployment.accounts.get("runner", {})
            found |= {spec["env"] for spec in account.values() if isinstance(spec, dict) and "env" in spec}
    except (DatabaseError, InterfaceError):  # not created yet, or unreachable
        pass
    try:
        document = loader.load(settings.CONFIG_FILE).document
    except FileRefused:  # `catalogue apply` reports it
        return found
    specs = (
        spec.as_json() for deployment in document.deployments.values() for spec in deployment.runner.secrets.values()
    )
    return found | {spec["env"] for spec in specs if "env" in spec}
