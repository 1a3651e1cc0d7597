"""Views that execute an action: POST executes it, GET redirects to the page with the form."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from portal.ui.request import Request

View = Callable[..., HttpResponseBase]
SHOWN = ("GET", "HEAD")


def acts_from(page: Callable[..., str]) -> Callable[[View], View]:
    """The view answers POST; GET is redirected to the address that `page(request, ...)` returns.

    After a refused form, the browser shows the address of the action. If it is reloaded, copied or opened after
    signing in, the browser sends a GET.
    """

    def decorate(view: View) -> View:
        @require_http_methods([*SHOWN, "POST"])
        @wraps(view)
        def acting(request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.method in SHOWN:
                return redirect(page(request, *args, **kwargs))
            return view(request, *args, **kwargs)

        return acting

    return decorate
