"""Warnings for production, for `check --deploy` and `check_config`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError, connection

from portal.core import private

AUDIT_TABLES = ("audit_auditevent", "audit_auditreference", "audit_audithead")
# The owner of an object of the trail can disable, replace or drop the trail's guards. Objects with an owner: the
# tables, the functions that their triggers call, and the schemas of both.
OWNED = """
WITH kept AS (SELECT oid, relname, relowner, relnamespace FROM pg_class
              WHERE oid IN (SELECT to_regclass(name) FROM unnest(%s::text[]) AS name)),
     guards AS (SELECT p.* FROM pg_proc p WHERE p.oid IN (
                SELECT tgfoid FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM kept) AND NOT tgisinternal))
SELECT 1, relname, pg_has_role(current_user, relowner, 'MEMBER') FROM kept
UNION SELECT 2, proname || '()', pg_has_role(current_user, proowner, 'MEMBER') FROM guards
UNION SELECT 3, 'the schema ' || nspname, pg_has_role(current_user, nspowner, 'MEMBER') FROM pg_namespace
    WHERE oid IN (SELECT relnamespace FROM kept UNION SELECT pronamespace FROM guards)
ORDER BY 1, 2
"""

PROXY = checks.Info(
    "The proxy in front should buffer requests and bound the connections of each address.",
    hint="nginx: proxy_request_buffering on, limit_conn. Gatehouse reads bodies within 20 s, up to 512 KiB, but cannot "
    "see who opens connections to the proxy. See docs/configuration.md.",
    id="gatehouse.I001",
)


def findings() -> list[checks.CheckMessage]:
    return [*_settings(), *_files(), *_audit_role()]


@checks.register(checks.Tags.security, deploy=True)
def check(app_configs: Any, **_: Any) -> list[checks.CheckMessage]:
    """Registered with Django. It also gives advice about other systems (`PROXY`), which is no finding."""
    return [*findings(), PROXY]


def _settings() -> Iterator[checks.CheckMessage]:
    if any(host.startswith("*") for host in settings.ALLOWED_HOSTS):
        yield checks.Warning(
            "GATEHOUSE_ALLOWED_HOSTS takes any host name (*): links in answers could lead to somebody else's server.",
            hint="Name the hosts by which people reach the portal.",
            id="gatehouse.W002",
        )
    if settings.DEMO:
        yield checks.Warning(
            "GATEHOUSE_DEMO is true: the sign-in page offers the demo's people and their password to everybody.",
            hint="Leave it out.",
            id="gatehouse.W003",
        )
    if settings.PUBLIC_URL.startswith("https://") and not settings.TRUSTED_PROXIES:
        yield checks.Warning(
            "GATEHOUSE_PUBLIC_URL is https, so a proxy stands in front, but GATEHOUSE_TRUSTED_PROXIES names none: "
            "everybody has the proxy's address, in the trail and for the limits on signing in.",
            hint="Set it to the proxy's address.",
            id="gatehouse.W004",
        )

    if settings.TRUSTED_PROXIES.count:
        yield checks.Warning(
            f"GATEHOUSE_TRUSTED_PROXIES is {settings.TRUSTED_PROXIES.count}, a number: any machine of a private "
            "network that reaches the portal can choose the address that the trail records.",
            hint="Name the proxies by their addresses or networks, like 10.0.0.5, 192.168.7.0/24.",
            id="gatehouse.W001",
        )


def _files() -> Iterator[checks.CheckMessage]:
    for one in private.exposed():
        yield checks.Error(str(one), id="gatehouse.E001")


def _audit_role() -> Iterator[checks.CheckMessage]:
    """On PostgreSQL: whether the portal's role could change the trail in spite of its guards."""
    if connection.vendor != "postgresql":
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = current_user")
            superuser, bypass, creates = cursor.fetchone()
            cursor.execute(OWNED, [list(AUDIT_TABLES)])
            owned = [name for _, name, owns in cursor.fetchall() if owns]
            cursor.execute(
                "SELECT t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
                "WHERE c.relname = ANY(%s::text[]) AND NOT t.tgisinternal AND t.tgenabled NOT IN ('O', 'A')",
                [list(AUDIT_TABLES)],
            )
            disabled = sorted(name for (name,) in cursor.fetchall())
    except (DatabaseError, InterfaceError, ImproperlyConfigured, OSError):  # other checks report it
        return
    may = [words for holds, words in ((superuser, "a superuser"), (bypass, "one that bypasses row security")) if holds]
    may += ["one that may create roles"] if creates and not superuser else []
    may += [f"the owner of {', '.join(owned)}"] if owned and not superuser else []
    if may:
        yield checks.Warning(
            f"The portal's role in PostgreSQL is {', and '.join(may)}: it can switch off the audit trail's guards.",
            hint="Let another role own them; docs/audit.md has the statements.",
            id="gatehouse.W005",
        )
    if disabled:
        yield checks.Error(
            f"Guards of the audit trail are switched off in PostgreSQL: {', '.join(disabled)}.",
            hint="Find out who did it, then ALTER TABLE ... ENABLE TRIGGER as the owner of the table.",
            id="gatehouse.E002",
        )
