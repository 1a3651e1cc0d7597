"""The rate limit of each token: calls per minute, counted for all web processes together."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.limits import Limit, best_effort
from accounts.models import Token
from portal.api.problems import TooMany

WINDOW = 60  # seconds


def count(request: HttpRequest, token: Token) -> None:
    """Count this call. Raises TooMany over the limit. In both cases `set_headers` adds the remaining calls.

    While the database accepts no writes, calls are not counted, so that calls that only read still work.
    """
    limit = Limit("api-calls", settings.API_CALLS_PER_MINUTE, WINDOW)
    counted = best_effort("the count of a token's calls", partial(limit.count, token.pk))
    calls, reset = counted or (1, WINDOW)
    request.api_rate = (limit.most, max(limit.most - calls, 0), reset)  # type: ignore[attr-defined]
    if calls > limit.most:
        raise TooMany(
            f"This token may call {limit.most} times a minute. Try again in {reset} s.", reason="too_many_calls"
        )


def set_headers(request: HttpRequest, response: HttpResponse) -> None:
    """Set the RateLimit headers of draft-ietf-httpapi-ratelimit-headers, and Retry-After with 429."""
    rate: tuple[int, int, int] | None = getattr(request, "api_rate", None)
    if rate is None:
        return
    limit, left, reset = rate
    response["RateLimit-Policy"] = f'"token";q={limit};w={WINDOW}'
    response["RateLimit"] = f'"token";r={left};t={reset}'
    if response.status_code == 429:
        response["Retry-After"] = str(reset)
