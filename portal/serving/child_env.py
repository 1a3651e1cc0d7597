"""The environment of each process: what it needs, and no secret of an account that another process works with."""

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
"""What the system, Python, TLS, proxies and libpq (with Kerberos) go by."""
LIVE_READS = re.compile(r"AWS_\w+|GOOGLE_\w+|CLOUDSDK_\w+|BOTO\w+|NO_GCE_CHECK|GCE_\w+")
"""What boto3 and google-auth go by, where the account for runs signs in with them."""


def names_for(child: str, environ: Mapping[str, str], *, runner: Iterable[str]) -> list[str] | None:
    """The variables that the process `child` gets; None: all, for the worker, which works with every account.

    runner: those with secrets of the accounts for runs. Pages read through these accounts, so the web process has
    them; the secrets of the accounts that change access are the worker's alone.
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
    """The variables that hold secrets of accounts for runs: of the catalogue in force and of the file to be applied."""
    found: set[str] = set()
    try:
        for deployment in Deployment.objects.filter(retired_at=None):
            account = deployment.accounts.get("runner", {})
            found |= {spec["env"] for spec in account.values() if isinstance(spec, dict) and "env" in spec}
    except (DatabaseError, InterfaceError):  # not made yet, or away
        pass
    try:
        document = loader.load(settings.CONFIG_FILE).document
    except FileRefused:  # said where it is applied
        return found
    specs = (
        spec.as_json() for deployment in document.deployments.values() for spec in deployment.runner.secrets.values()
    )
    return found | {spec["env"] for spec in specs if "env" in spec}
