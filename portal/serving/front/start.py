"""The front with the settings of this portal, and what it says when it starts."""

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
from portal.serving.family import WEB_THREADS
from portal.serving.front.answer import Application
from portal.serving.front.app import Front

log = logging.getLogger(__name__)


def front(application: Application) -> Front:
    """`application` behind the front, in this process."""
    raise_descriptor_limit()
    proxies: Proxies = settings.TRUSTED_PROXIES
    if settings.PUBLIC_URL.startswith("https://") and not proxies:
        log.warning(
            "GATEHOUSE_PUBLIC_URL is https, so a proxy stands in front, but GATEHOUSE_TRUSTED_PROXIES names none: "
            "everybody has that proxy's address, in the trail and for the limits of signing in."
        )
    return Front(application, threads=WEB_THREADS, known=known, proxies=proxies)


def known(environ: dict[str, Any]) -> bool:
    """Whether a live token or session stands in the headers. Where the database cannot say, nobody is known."""
    cookie = parse_cookie(environ.get("HTTP_COOKIE", "")).get(settings.SESSION_COOKIE_NAME, "")
    try:
        return entrance.is_known(authorization=environ.get("HTTP_AUTHORIZATION", ""), session=cookie)
    except (DatabaseError, InterfaceError):
        return False
    finally:
        close_old_connections()


def raise_descriptor_limit() -> None:
    """Let this process hold as many connections as the system allows it: idle ones must not keep others out."""
    with contextlib.suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
