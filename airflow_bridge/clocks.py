"""How far the clock of a server is ahead of ours, by the Date of its answers (RFC 9110, section 6.6.1)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime


def ahead(headers: Mapping[str, str], *, sent: float, received: float) -> float | None:
    """Seconds; negative if the server is behind, 0 if the clocks may agree. None without a Date or for a cached answer.

    sent, received: our clock (time.time) when the call was sent and when its answer had arrived. The server wrote its
    Date in between, without fractions of a second.
    """
    if "age" in headers:  # from a cache
        return None
    try:
        date = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return None
    begin = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    if begin > received:
        return begin - received
    return min(0.0, begin + 1 - sent)
