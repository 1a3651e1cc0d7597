"""One template for each page: rendered completely for a browser, or only one of its parts for htmx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.messages import get_messages
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.cache import patch_vary_headers


def wants_part(request: HttpRequest) -> bool:
    """Whether htmx puts the answer into the current page. A boosted link needs a complete page."""
    htmx = getattr(request, "htmx", None)
    return htmx is not None and bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def render(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    part: str | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render `template`, or only its `{% partialdef part %}` for htmx. The name of a part is the DOM id of its root.

    Pending messages are sent with a part, out of band. The answer has `Vary: HX-Request`.
    """
    partial = part is not None and wants_part(request)
    html = render_to_string(f"{template}#{part}" if partial else template, dict(context or {}), request)
    if partial and len(get_messages(request)):
        html += render_to_string("_parts/messages.html", {"oob": True}, request)
    response = HttpResponse(html, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response
