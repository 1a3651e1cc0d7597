"""Error pages, and for htmx error notices in the current page. Each says what happened and what to do."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme

from portal.core import faults
from portal.core.errors import GatehouseError, Invalid, Missing
from portal.ui.htmx import render, wants_part


def refused(request: HttpRequest, error: GatehouseError) -> HttpResponse:
    """The page for an error of an action or a permission check, with its status and message."""
    context: dict[str, Any] = {"error": error, "title": error.title, "detail": error.detail, "status": error.status}
    context["back"] = _back(request)
    if isinstance(error, Invalid):
        context |= {"problems": list(error.fields.values()), "detail": "Nothing was changed."}
    template = "errors/missing.html" if isinstance(error, Missing) else "errors/refused.html"
    return _answer(request, template, context, status=error.status)


def _back(request: HttpRequest) -> str:
    """The Gatehouse page that sent the form; empty if it is unknown or is the requested page itself."""
    came_from = request.headers.get("Referer", "")
    here = request.build_absolute_uri()
    ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    return came_from if ours and came_from != here else ""


def _again(request: HttpRequest) -> str:
    """The requested address, for a link. Two slashes at its beginning would lead to another host."""
    return escape_leading_slashes(request.get_full_path())


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The page for an unknown address."""
    words = exception.args[0] if isinstance(exception, Http404) and exception.args else ""
    detail = words if isinstance(words, str) and words else "There is no page at this address."
    context = {"title": "Not found", "detail": detail, "status": 404}
    return _answer(request, "errors/missing.html", context, status=404)


def stale_form(request: HttpRequest) -> HttpResponse:
    """The page for a form with an old CSRF token: its sender signed out, or signed in again in another tab."""
    context = {
        "title": "This form is no longer valid",
        "detail": "You probably signed in again after you opened it, perhaps in another tab. Nothing was changed.",
        "status": 403,
    }
    return _answer(request, "errors/stale.html", context, status=403)


def unreadable(request: HttpRequest) -> HttpResponse:
    """The page for a request that Django cannot read: a malformed form, too many fields, an unknown host."""
    return HttpResponse(render_to_string("errors/unreadable.html"), status=400)


def broken(request: HttpRequest) -> HttpResponse:
    """The page for an unexpected error. It has no frame, because the frame itself may have failed."""
    context = {"reference": getattr(request, "reference", ""), "again": _again(request)}
    if wants_part(request):
        html = render_to_string("errors/broken.html#notice", context)
        return _into_page(HttpResponse(html, status=500))
    return HttpResponse(render_to_string("errors/broken.html", context), status=500)


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The page for a failed database (portal.core.faults). It has no frame, because the frame reads the database."""
    context = {"detail": faults.words(error), "again": _again(request)}
    # the headers are read here, because the error may be from before django-htmx's middleware
    if request.headers.get("HX-Request") == "true" and "HX-Boosted" not in request.headers:
        html = render_to_string("errors/unavailable.html#notice", context)
        response = _into_page(HttpResponse(html, status=503))
    else:
        response = HttpResponse(render_to_string("errors/unavailable.html", context), status=503)
    response["Retry-After"] = str(faults.RETRY_AFTER)
    return response


def _answer(request: HttpRequest, template: str, context: dict[str, Any], *, status: int) -> HttpResponse:
    if wants_part(request):
        return _into_page(render(request, "errors/refused.html", context, part="notice", status=status))
    return render(request, template, context, status=status)


def _into_page(response: HttpResponse) -> HttpResponse:
    response["HX-Retarget"] = "#messages"
    response["HX-Reswap"] = "innerHTML"
    return response
