"""How far the clock of a server is ahead of ours, by the Date of its answers (RFC 9110, section 6.6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def ahead(headers: Mapping[str, str], *, sent: float, received: float) -> float | None:
    """Seconds, negative where it is behind; 0 where it may agree. None where the answer does not say, or is an old one.

    sent, received: our own clock (time.time) when the call was sent and its answer was there. The server wrote its Date
    at some moment between the two, in whole seconds.
    """
    if "age" in headers:  # kept by something in between
        return None
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    begin = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if begin > received:
        return begin - received
    return min(0.0, begin + 1 - sent)
