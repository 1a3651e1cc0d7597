"""Refusals and mishaps as a page, or for htmx as a notice in the page that is there: what happened, and the way out."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.http import escape_leading_slashes, url_has_allowed_host_and_scheme

from portal.core import faults
from portal.core.errors import GatehouseError, Invalid, Missing
from portal.ui.htmx import render, wants_part


def refused(request: HttpRequest, error: GatehouseError) -> HttpResponse:
    """What an action or a guard refused, with its own status and words."""
    context: dict[str, Any] = {"error": error, "title": error.title, "detail": error.detail, "status": error.status}
    context["back"] = _back(request)
    if isinstance(error, Invalid):
        context |= {"problems": list(error.fields.values()), "detail": "Nothing was changed."}
    template = "errors/missing.html" if isinstance(error, Missing) else "errors/refused.html"
    return _answer(request, template, context, status=error.status)


def _back(request: HttpRequest) -> str:
    """The page of ours from which a form was sent; empty when it is unknown or the one asked for itself."""
    came_from = request.headers.get("Referer", "")
    here = request.build_absolute_uri()
    ours = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    return came_from if ours and came_from != here else ""


def _again(request: HttpRequest) -> str:
    """The address that was asked for, for a link. A path of two slashes would lead to another host."""
    return escape_leading_slashes(request.get_full_path())


def missing(request: HttpRequest, exception: Exception) -> HttpResponse:
    """An address that leads nowhere."""
    words = exception.args[0] if isinstance(exception, Http404) and exception.args else ""
    detail = words if isinstance(words, str) and words else "There is no page at this address."
    context = {"title": "Not found", "detail": detail, "status": 404}
    return _answer(request, "errors/missing.html", context, status=404)


def stale_form(request: HttpRequest) -> HttpResponse:
    """A form whose token does not fit this session: signed out meanwhile, signed in anew in another tab."""
    context = {
        "title": "This form is no longer valid",
        "detail": "You probably signed in again after you opened it, perhaps in another tab. Nothing was changed.",
        "status": 403,
    }
    return _answer(request, "errors/stale.html", context, status=403)


def unreadable(request: HttpRequest) -> HttpResponse:
    """What Django could not make sense of: a broken form, too many fields, another host."""
    return HttpResponse(render_to_string("errors/unreadable.html"), status=400)


def broken(request: HttpRequest) -> HttpResponse:
    """Something nobody expected. Rendered without the frame, which may be what is broken."""
    context = {"reference": getattr(request, "reference", ""), "again": _again(request)}
    if wants_part(request):
        html = render_to_string("errors/broken.html#notice", context)
        return _into_page(HttpResponse(html, status=500))
    return HttpResponse(render_to_string("errors/broken.html", context), status=500)


def unavailable(request: HttpRequest, error: BaseException) -> HttpResponse:
    """The database failed (portal.core.faults). Rendered without the frame, which asks the database."""
    context = {"detail": faults.words(error), "again": _again(request)}
    # asked of the headers: it may have failed before the middleware that reads them
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
