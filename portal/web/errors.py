"""Django's own error handlers, answered by the portal's pages."""

import sys

from django.http import HttpRequest, HttpResponse

from portal.audit.refused_calls import note_refused
from portal.core import faults
from portal.core.errors import Refused
from portal.ui import answers


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Recorded as other refused calls are: of a stranger by their network."""
    by = request.user if request.user.is_authenticated else None
    error = Refused("The form's token does not belong to this session.", reason="csrf")
    note_refused(by=by, method=request.method or "", path=request.path, error=error)
    return answers.stale_form(request)


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.unreadable(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.missing(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Called while the exception is handled. Also what goes wrong outside of views comes here: reading the session."""
    error = sys.exception()
    if error is not None and faults.is_of_the_database(error):
        return answers.unavailable(request, error)
    return answers.broken(request)
