"""Django's own error handlers, answered by the portal's pages."""

from django.http import HttpRequest, HttpResponse

from portal.ui import answers


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return answers.stale_form(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.missing(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    return answers.broken(request)


def too_many(request: HttpRequest) -> HttpResponse:
    return answers.too_many(request)
