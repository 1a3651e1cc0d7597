"""What is sent, before anything looks at it: nothing that a database refuses or that costs more than it may."""

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
    """Take the charset out of the content type of a WSGI environment: everything is read as UTF-8.

    Django (5.2) reads the address, too, in the charset that is named, before any middleware; one that is no text
    encoding (`zlib`) is an error there that nothing catches.
    """
    if "CONTENT_TYPE" in environ:
        environ["CONTENT_TYPE"] = CHARSET.sub("", environ["CONTENT_TYPE"])


class CleanInputMiddleware:
    """First of all: what could break those that follow is taken out of the request."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # a quoted cookie may hold any character; none of ours does
        request.COOKIES = {
            name: value for name, value in request.COOKIES.items() if value.isascii() and value.isprintable()
        }
        return self.get_response(request)


class BoundsMiddleware:
    """Addresses and forms within `portal.core.bounds`. The API has a door of its own, which answers with problems."""

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
    """Raises Missing for a path that names nothing, Invalid for a parameter that cannot be taken."""
    if not bounds.is_storable(request.path) or len(request.path) > bounds.QUERY:
        raise Missing("There is no page at this address.")
    bounds.check_fields(dict(request.GET.lists()), longest=bounds.QUERY)
