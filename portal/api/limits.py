"""How often one token may call: so many calls per minute, counted in Django's cache.

With the default cache each web process counts for itself; a cache they share (CACHES) makes the limit exact.
"""

from __future__ import annotations

import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse

from accounts.models import Token
from portal.api.problems import TooMany

WINDOW = 60  # seconds


def count(request: HttpRequest, token: Token) -> None:
    """Count this call. Raises TooMany over the limit; `set_headers` tells how much is left either way."""
    limit: int = settings.API_CALLS_PER_MINUTE
    now = int(time.time())
    reset = WINDOW - now % WINDOW
    key = f"api-calls:{token.pk}:{now // WINDOW}"
    cache.add(key, 0, timeout=2 * WINDOW)
    try:
        calls = cache.incr(key)
    except ValueError:  # a full cache dropped it at this moment
        calls = 1
    request.api_rate = (limit, max(limit - calls, 0), reset)  # type: ignore[attr-defined]
    if calls > limit:
        raise TooMany(f"This token may call {limit} times a minute. Try again in {reset} s.", reason="too_many_calls")


def set_headers(request: HttpRequest, response: HttpResponse) -> None:
    """RateLimit headers as draft-ietf-httpapi-ratelimit-headers names them, and Retry-After with a 429."""
    rate: tuple[int, int, int] | None = getattr(request, "api_rate", None)
    if rate is None:
        return
    limit, left, reset = rate
    response["RateLimit-Policy"] = f'"token";q={limit};w={WINDOW}'
    response["RateLimit"] = f'"token";r={left};t={reset}'
    if response.status_code == 429:
        response["Retry-After"] = str(reset)
