"""Creates the front with the portal's settings, and logs its warnings at the start."""

from __future__ import annotations

import contextlib
import logging
import resource
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections
from django.http import parse_cookie

from accounts import entrance
from portal.core.peers import Proxies
from portal.serving.front.answer import Application
from portal.serving.front.app import Front
from portal.serving.processes import WEB_THREADS

log = logging.getLogger(__name__)


def front(application: Application) -> Front:
    """`application` behind the front."""
    raise_descriptor_limit()
    proxies: Proxies = settings.TRUSTED_PROXIES
    if settings.PUBLIC_URL.startswith("https://") and not proxies:
        log.warning(
            "GATEHOUSE_PUBLIC_URL is https, so a proxy stands in front, but GATEHOUSE_TRUSTED_PROXIES names none: "
            "everybody has that proxy's address, in the audit trail and for the limits on signing in."
        )
    return Front(application, threads=WEB_THREADS, known=known, proxies=proxies)


def known(environ: dict[str, Any]) -> bool:
    """Whether the headers contain a valid token or session. False if the database does not answer."""
    cookie = parse_cookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME, "")
    try:
        return entrance.is_known(authorization=environ.get("HTTP_AUTHORIZATION", ""), session=cookie)
    except (DatabaseError, InterfaceError):
        return False
    finally:
        close_old_connections()


def raise_descriptor_limit() -> None:
    """Raise this process's limit of open files to the system's limit, so that idle connections do not block others."""
    with contextlib.suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
