"""Request-wide duties: security headers, the audit's source, the person's time zone, refusals as pages."""

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
    """Content policy, permissions policy and no-store on every answer. (Django 6 brings the first of them itself.)

    Nothing that is made for a person is kept by a browser or a proxy: after signing out, Back shows nothing of it.
    Static files do not come by here.
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
    """Pages travel compressed. Streams (exports) do not: they are to flow at the database's speed."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response if response.streaming else super().process_response(request, response)


class AuditSourceMiddleware:
    """Tells the trail which network address a request came from, for as long as the request lasts."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        reset = source.set(Source(address=client_address(request)))
        try:
            return self.get_response(request)
        finally:
            source.reset(reset)


def client_address(request: HttpRequest) -> str:
    """The caller's address, as the front found it (portal.core.peers). Forwarding headers are not read here."""
    return str(request.META.get("REMOTE_ADDR", ""))[:64]


class TimeZoneMiddleware:
    """Times are shown in the person's own zone, where they chose one."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(self._zone(request)):
            return self.get_response(request)

    def _zone(self, request: HttpRequest) -> zoneinfo.ZoneInfo | None:
        name = getattr(request.user, "timezone", "")
        try:
            return zoneinfo.ZoneInfo(name) if name else None
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # a zone this machine no longer knows
            return None


class ErrorsMiddleware:
    """Turns what actions raise into pages, and gives what nobody expected a reference that is in the log too."""

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
