"""What every call passes on its way in and out: limits on what is sent, one clock, problems for every refusal."""

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
"""GET calls that write an event. A HEAD would record what nobody received, so they answer 405 to it."""
MAX_BODY = 256 * 1024  # a run's parameters of 64 KiB, with every letter beyond ASCII escaped, and the rest of the call


def door(view: View) -> View:
    """`view`, a view of the API, behind the door. Exempt from CSRF, because no cookie opens it."""

    @csrf_exempt
    @wraps(view)
    def entered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        method = request.method
        if method == "HEAD" and not request.path.endswith(RECORDED):
            request.method = "GET"  # the same answer; the web server leaves the body out
        reset = source.set(source.get())  # whose token it is, is forgotten on the way out
        forget = credential.set(None)
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
            response = problems.mishap(request, error)
        finally:
            request.method = method
            source.reset(reset)
            credential.reset(forget)
        if response.status_code == 405:
            response = _not_this_way(request, response)
        response.setdefault("Cache-Control", "no-store")
        if getattr(request, "api_replayed", False):
            response["Idempotency-Replayed"] = "true"
        limits.set_headers(request, response)
        return response

    return entered


def unknown(request: HttpRequest, rest: str) -> HttpResponse:
    """Any address below the API's that is none of its calls."""
    raise Missing(NO_SUCH_CALL)


def _check_sent(request: HttpRequest) -> None:
    """Raises TooLarge, Malformed, Missing, Invalid. An empty body of a POST is an empty object."""
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


def _not_this_way(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    allowed = response.get("Allow", "")
    problem = problems.answer(
        problems.NotSupported(f"{request.method} is not possible here; {allowed} is.", reason="method_not_allowed")
    )
    problem["Allow"] = allowed
    return problem
