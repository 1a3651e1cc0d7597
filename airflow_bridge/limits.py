"""How much may be asked of one deployment: what its answers say about that, and our own limit on calls at once."""

from __future__ import annotations

import re
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from airflow_bridge.types import RateLimit

LONGEST = 15 * 60.0  # seconds nobody asks at a server's word: one bad header must not close a deployment for years
DAY = 24 * 3600.0  # seconds; callers are told of no longer wait, which they may add to a date
_EPOCH = 1_000_000_000  # a reset above this is a moment, not a number of seconds, as X-RateLimit-Reset often is
_MILLISECONDS = 100 * _EPOCH  # and above this a moment in milliseconds
_NUMBER = r"(\d{1,15}(?:\.\d{1,9})?)(?=\s*(?:[;,]|$))"  # a whole value: the 2026 of a date is no number of seconds
_gates: weakref.WeakValueDictionary[str, Gate] = weakref.WeakValueDictionary()
_making = threading.Lock()


class Gate:
    """One deployment as everybody in this process asks it. Thread-safe."""

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
        """Airflow wants no calls for a while; at most LONGEST."""
        with self._changed:
            self._closed_until = max(self._closed_until, time.monotonic() + min(seconds, LONGEST))

    @property
    def opens_in(self) -> float:
        """Seconds until Airflow wants to be asked again; 0 where it said nothing."""
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
    if number := re.fullmatch(_NUMBER, value):
        return float(number[1])
    try:
        when = parsedate_to_datetime(value)
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
    except (ValueError, OverflowError):
        return None


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """The IETF's RateLimit headers in the forms that are about; None where there are none.

    `RateLimit: "default";r=50;t=30` with `RateLimit-Policy: "default";q=100;w=60` (draft-ietf-httpapi-ratelimit-headers
    08 and later), `RateLimit: limit=100, remaining=50, reset=30` (07), `RateLimit-Limit|Remaining|Reset` (to 06), and
    the same with X- before them. Of several limits the one with the least left is given.
    """
    structured = headers.get("ratelimit", "")
    policies = {name: _numbers(words) for name, words in _items(headers.get("ratelimit-policy", ""))}
    found = [
        RateLimit(_whole(policies.get(name, {}).get("q")), _whole(values.get("r")), values.get("t"))
        for name, values in ((name, _numbers(words)) for name, words in _items(structured))
        if "r" in values
    ]
    if found:
        return min(found, key=lambda limit: limit.remaining or 0)
    values = _numbers(structured.replace(",", ";"))
    for prefix in ("ratelimit-", "x-ratelimit-"):
        for name in ("limit", "remaining", "reset"):
            # "100, 100;w=60" says the limit first, then its windows
            if number := re.match(rf"\s*{_NUMBER}", headers.get(f"{prefix}{name}", "")):
                values.setdefault(name, float(number[1]))
    if not values.keys() & {"limit", "remaining", "reset"}:
        return None
    return RateLimit(_whole(values.get("limit")), _whole(values.get("remaining")), _seconds(values.get("reset")))


def _items(text: str) -> Iterator[tuple[str, str]]:
    """The members of a structured list: ("default", "r=50;t=30")."""
    yield from re.findall(r'"([^"]*)"\s*((?:;\s*[a-z]+\s*=\s*[^;,]+)*)', text)


def _numbers(words: str) -> dict[str, float]:
    pairs = re.findall(rf"([a-z]+)\s*=\s*{_NUMBER}", words)
    return {name: float(number) for name, number in pairs}


def _seconds(reset: float | None) -> float | None:
    """From now on."""
    if reset is None or reset <= _EPOCH:
        return reset
    moment = reset / 1000 if reset > _MILLISECONDS else reset
    return max(0.0, moment - time.time())


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
