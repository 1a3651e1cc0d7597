"""Request-wide duties: security headers, the audit's source, the person's time zone, refusals as pages."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


class _Pass:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)


class SecurityHeadersMiddleware(_Pass): ...


class AuditSourceMiddleware(_Pass): ...


class TimeZoneMiddleware(_Pass): ...


class ErrorsMiddleware(_Pass): ...
