"""Checks of the input before a view reads it: text that no database stores, and too large input, are refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from portal.core import bounds
from portal.core.errors import Invalid, Missing
from portal.ui import answers

CHARSET = re.compile(r";\s*charset\s*=[^;]*", re.IGNORECASE)
GetResponse = Callable[[HttpRequest], HttpResponse]


def utf8_alone(environ: dict[str, Any]) -> None:
    """Remove the charset from the content type of a WSGI environment, so that everything is read as UTF-8.

    Django 5.2 decodes the address with this charset too, before any middleware. A charset that is no text encoding
    (`zlib`) raises an error there that nothing catches.
    """
    if "CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = CHARSET.sub("", environ["CONTENT_TYPE"])


class CleanInputMiddleware:
    """The first middleware: removes cookies that could break the following ones."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # a quoted cookie can contain any character; Gatehouse's own cookies are printable ASCII
        request.COOKIES = {
            name: value for name, value in request.COOKIES.items() if value.isascii() and value.isprintable()
        }
        return self.get_response(request)


class BoundsMiddleware:
    """Checks addresses and forms against `portal.core.bounds`. The API does this itself (`portal.api.views`)."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if request.path.startswith("/api/"):
            return None
        try:
            check_address(request)
            bounds.check_fields(dict(request.POST.lists()), longest=bounds.FORM)
        except (Invalid, Missing) as error:
            return answers.refused(request, error)
        return None


def check_address(request: HttpRequest) -> None:
    """Raises Missing for an impossible path, Invalid for an impossible parameter."""
    if not bounds.is_storable(request.path) or len(request.path) > bounds.QUERY:
        raise Missing("There is no page at this address.")
    bounds.check_fields(dict(request.GET.lists()), longest=bounds.QUERY)
