"""The error handlers of Django, with the portal's error pages."""

import sys

from django.http import HttpRequest, HttpResponse

from portal.audit.refused_calls import note_refused
from portal.core import faults
from portal.core.errors import Refused
from portal.ui import answers


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """It is recorded like other refused calls. If nobody is signed in, their network is recorded."""
    by = request.user if request.user.is_authenticated else None
    error = Refused("The form's token does not belong to this session.", reason="csrf")
    note_refused(by=by, method=request.method or "", path=request.path, error=error)
    return answers.stale_form(request)


def unreadable(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.unreadable(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return answers.missing(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django calls this while it handles the exception, also for errors outside of views, as in reading the session."""
    error = sys.exception()
    if error is not None and faults.is_of_the_database(error):
        return answers.unavailable(request, error)
    return answers.broken(request)
