"""The wrapper of every view of the API: limits of the input, UTC, problems for all errors, response headers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from functools import wraps
from typing import Any

from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from accounts.acting import credential
from portal.api import limits, problems
from portal.audit.record import source
from portal.core import bounds
from portal.core.errors import GatehouseError, Missing

View = Callable[..., HttpResponse]
NO_SUCH_CALL = "There is no such call. /api/v1/openapi.json lists all calls."
RECORDED = ("/audit/export", "/audit/verify")
"""GET calls that write an event. HEAD is answered with 405: its caller receives no data, so nothing may be recorded."""
MAX_BODY = 256 * 1024  # the 64 KiB of a run's parameters are up to three times as long with escaped letters


def api_view(view: View) -> View:
    """Wrap a view of the API. It needs no CSRF protection, because cookies are not accepted."""

    @csrf_exempt
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        method = request.method
        if method == "HEAD" and not request.path.endswith(RECORDED):
            request.method = "GET"  # the same response; the web server leaves the body out
        former_source = source.set(source.get())  # the token is added to it during the call
        former_credential = credential.set(None)
        try:
            with timezone.override(UTC):
                _check_sent(request)
                response = view(request, *args, **kwargs)
        except GatehouseError as error:
            response = problems.answer(error)
        except Http404:
            response = problems.answer(Missing(NO_SUCH_CALL))
        except (SuspiciousOperation, BadRequest):
            response = problems.answer(problems.Malformed("The call could not be read.", reason="malformed"))
        except Exception as error:
            response = problems.unexpected(request, error)
        finally:
            request.method = method
            source.reset(former_source)
            credential.reset(former_credential)
        if response.status_code == 405:
            response = _method_not_allowed(request, response)
        response.setdefault("Cache-Control", "no-store")
        if getattr(request, "api_replayed", False):
            response["Idempotency-Replayed"] = "true"
        limits.set_headers(request, response)
        return response

    return wrapped


def unknown(request: HttpRequest, rest: str) -> HttpResponse:
    """Any address below /api/v1/ that is no call."""
    raise Missing(NO_SUCH_CALL)


def _check_sent(request: HttpRequest) -> None:
    """Raises TooLarge, Malformed, Missing, Invalid. An empty body of a POST becomes an empty object."""
    try:
        body = request.body
    except RequestDataTooBig:
        body = b"x" * (MAX_BODY + 1)
    except UnreadablePostError as error:
        raise problems.Malformed("The body is incomplete.", reason="malformed") from error
    if len(body) > MAX_BODY:
        raise problems.TooLarge(f"The body is larger than {MAX_BODY // 1024} KiB.", reason="too_large")
    if request.method == "POST" and not body.strip():
        request._body = b"{}"
    if not bounds.is_storable(request.path) or len(request.path) > bounds.QUERY:
        raise Missing(NO_SUCH_CALL)
    bounds.check_fields(dict(request.GET.lists()), longest=bounds.QUERY)


def _method_not_allowed(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    allowed = response.get("Allow", "")
    problem = problems.answer(
        problems.NotSupported(f"{request.method} is not possible here; {allowed} is.", reason="method_not_allowed")
    )
    problem["Allow"] = allowed
    return problem
