"""Middleware: security headers, compression, the source of audit events, the person's time zone, error pages."""

from __future__ import annotations

import logging
import secrets
import zoneinfo
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from django.utils import timezone

from portal.audit.record import Source, source
from portal.audit.refused_calls import note_refused
from portal.core.errors import GatehouseError
from portal.ui import answers

log = logging.getLogger(__name__)
GetResponse = Callable[[HttpRequest], HttpResponse]

PERMISSIONS_POLICY = ", ".join(
    f"{feature}=()"
    for feature in ("camera", "display-capture", "geolocation", "microphone", "midi", "payment", "serial", "usb")
)


class SecurityHeadersMiddleware:
    """Adds content security policy, permissions policy and `no-store` to every answer. (Django 6 has a CSP middleware.)

    With `no-store`, browsers and proxies keep no page, so Back shows nothing after signing out. Static files are
    served before this middleware.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        policy = "; ".join(f"{name} {' '.join(sources)}" for name, sources in settings.SECURE_CSP.items())
        self.headers = {"Content-Security-Policy": policy, "Permissions-Policy": PERMISSIONS_POLICY}
        self.headers["Cache-Control"] = "no-store"

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in self.headers.items():
            response.setdefault(name, value)
        return response


class GZipPagesMiddleware(GZipMiddleware):
    """Compresses pages. Streams (exports) are not compressed, so that each batch is sent at once."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if response.streaming else super().process_response(request, response)


class AuditSourceMiddleware:
    """Sets the network address of the caller as the source of all audit events of this request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        former = source.set(Source(address=client_address(request)))
        try:
            return self.get_response(request)
        finally:
            source.reset(former)


def client_address(request: HttpRequest) -> str:
    """The caller's address. The front has already evaluated forwarding headers (portal.core.peers)."""
    return str(request.META.get("REMOTE_ADDR", ""))[:64]


class TimeZoneMiddleware:
    """Shows times in the person's own time zone, if they chose one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(self._zone(request)):
            return self.get_response(request)

    def _zone(self, request: HttpRequest) -> zoneinfo.ZoneInfo | None:
        name = getattr(request.user, "timezone", "")
        try:
            return zoneinfo.ZoneInfo(name) if name else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # this machine does not know the zone
            return None


class ErrorsMiddleware:
    """Turns the errors of actions into pages. An unexpected error gets a reference, which is in the log too."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, GatehouseError):
            if request.user.is_authenticated:
                note_refused(by=request.user, method=request.method or "", path=request.path, error=error)
            return answers.refused(request, error)
        if isinstance(error, ImproperlyConfigured):
            log.error("%s", error)
        request.reference = secrets.token_hex(4)  # type: ignore[attr-defined]
        log.error("reference %s: %s on %s %s", request.reference, error, request.method, request.path)  # type: ignore[attr-defined]
        return None
