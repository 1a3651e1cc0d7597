"""Rate limits of a deployment: those of its answers, and our own limit of calls at once."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import http_sf

from airflow_bridge.types import RateLimit

LONGEST = 15 * 60.0  # upper bound for Retry-After, in seconds: one bad header must not close a deployment for years
DAY = 24 * 3600.0  # upper bound of the waits that callers are told, in seconds
_EPOCH = 1_000_000_000  # a reset above this is a Unix time, not a number of seconds
_MILLISECONDS = 100 * _EPOCH  # above this, a Unix time in milliseconds
_gates: weakref.WeakValueDictionary[str, Gate] = weakref.WeakValueDictionary()
_making = threading.Lock()


class Gate:
    """The limits of one address, shared by all clients of this process. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._asking = 0
        self._closed_until = 0.0

    @classmethod
    def of(cls, url: str) -> Gate:
        """The one gate of an address: clients of several accounts share it."""
        with _making:
            return _gates.setdefault(url.rstrip("/"), cls())

    @contextmanager
    def passage(self, limit: int, deadline: float) -> Iterator[None]:
        """Hold one of `limit` places. Raises TimeoutError where none is free by `deadline` (time.monotonic)."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._asking < limit, max(0.0, deadline - time.monotonic())):
                raise TimeoutError
            self._asking += 1
        try:
            yield
        finally:
            with self._changed:
                self._asking -= 1
                self._changed.notify()

    def close(self, seconds: float) -> None:
        """No calls for so long, or for LONGEST if that is shorter."""
        with self._changed:
            self._closed_until = max(self._closed_until, time.monotonic() + min(seconds, LONGEST))

    @property
    def opens_in(self) -> float:
        """Seconds until calls are allowed again."""
        return max(0.0, self._closed_until - time.monotonic())


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, from Retry-After (RFC 9110: seconds or a date), else from the RateLimit headers; or None.

    At most DAY.
    """
    seconds = _retry_after(headers.get("retry-after", "").strip())
    if seconds is None:
        limit = rate_limit(headers)
        seconds = limit.reset if limit else None
    return None if seconds is None else min(seconds, DAY)


def _retry_after(value: str) -> float | None:
    if (seconds := _first_number(value)) is not None:
        return seconds
    try:
        when = parsedate_to_datetime(value)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """The IETF's RateLimit fields in every form in use; None where there are none.

    `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60` (draft-ietf-httpapi-ratelimit-headers
    08 and later), `RateLimit: limit=100, remaining=50, reset=30` (07), `RateLimit-Limit|Remaining|Reset` (to 06), and
    the same with X- before them. Of several limits the one with the least left is given. A malformed field is ignored.
    """
    field = headers.get("ratelimit", "")
    quotas = {str(name): _number(about.get("q")) for name, about in _items(headers.get("ratelimit-policy", ""))}
    found = [
        RateLimit(_integer(quotas.get(str(name))), int(remaining), _number(about.get("t")))
        for name, about in _items(field)
        if (remaining := _number(about.get("r"))) is not None
    ]
    if found:
        return min(found, key=lambda limit: limit.remaining or 0)
    values = {name: _number(value) for name, (value, _) in _parsed(field, "dictionary", {}).items()}
    for prefix in ("ratelimit-", "x-ratelimit-"):
        for name in ("limit", "remaining", "reset"):
            if values.get(name) is None:
                values[name] = _first_number(headers.get(f"{prefix}{name}", ""))
    limit, remaining, reset = (values[name] for name in ("limit", "remaining", "reset"))
    if limit is remaining is reset is None:
        return None
    return RateLimit(_integer(limit), _integer(remaining), _from_now(reset))


def _items(field: str) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """The items of a list with their parameters: ("default", {"r": 50, "t": 30}). Inner lists are left out."""
    return ((item, about) for item, about in _parsed(field, "list", []) if not isinstance(item, list))


def _first_number(field: str) -> float | None:
    """The first number of a list: "100, 100;w=60" says the limit first, then its windows."""
    return next((_number(item) for item, _ in _items(field)), None)


def _parsed(field: str, kind: Literal["list", "dictionary"], otherwise: Any) -> Any:
    """A structured field (RFC 9651), which is ignored completely if any part of it is malformed."""
    try:
        return http_sf.parse(field.encode(), tltype=kind)
    except ValueError:
        return otherwise


def _number(value: Any) -> float | None:
    """An Integer or a Decimal that is not negative."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or value < 0:
        return None
    return float(value)


def _integer(number: float | None) -> int | None:
    return None if number is None else int(number)


def _from_now(reset: float | None) -> float | None:
    """Seconds until a reset that is given in seconds, or as a moment in seconds or milliseconds."""
    if reset is None or reset <= _EPOCH:
        return reset
    moment = reset / 1000 if reset > _MILLISECONDS else reset
    return max(0.0, moment - time.time())
