"""Durations as people write them, as the API writes them, and in words."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from portal.core import clock

LONGEST = timedelta(days=3650)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JUST_NOW = timedelta(seconds=10)

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_UNITS = "weeks?|w|days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s"
_PART = re.compile(rf"([0-9]{{1,9}}) ?({_UNITS})(?:, and |, | and | |(?=[0-9])|$)")
_EXAMPLES = "examples: 30m, 8h, 3d, 1d 12h, 1 hour 30 minutes"
_ISO = re.compile(r"P(?:(\d{1,9})W)?(?:(\d{1,9})D)?(?:T(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?", re.ASCII)
_NAMES = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def parse(text: str) -> timedelta:
    """`8h`, `1d 12h`, `90 minutes`, `1 day 12 hours`, `3 min 5 s`, or ISO 8601 (`PT8H`, `P1DT12H`).

    Reads everything that `iso`, `short`, `words` and `ui.words.clock` write, from one second on.
    Raises ValueError with a message for the author: for other texts, for an empty text and for more than 3650 days.
    """
    given = " ".join(text[:200].split())
    seconds = _iso(given) if given[:1].upper() == "P" else _spoken(given.lower())
    if seconds is None or len(text) > 200:
        raise ValueError(f"“{given[:40]}” is not a duration; {_EXAMPLES}.")
    if seconds == 0:
        raise ValueError(f"A duration must be longer than zero; {_EXAMPLES}.")
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"“{given[:40]}” is too long; the longest duration is {words(LONGEST)}.")
    return timedelta(seconds=seconds)


def _spoken(text: str) -> int | None:
    """Each unit at most once, larger units first. So typing errors like `8h 3d` or `1h1h` are refused."""
    total, at, order = 0, 0, ""
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            return None
        unit = part[2][0]
        total += int(part[1]) * _SECONDS[unit]
        order += unit
        at = part.end()
    in_order = [unit for unit in _SECONDS if unit in order]
    return total if order and list(order) == in_order else None


def _iso(text: str) -> int | None:
    """Months and years are refused, because their length varies."""
    match = _ISO.fullmatch(text.upper())
    if match is None or text[-1].upper() in "PT":
        return None
    return sum(int(count) * size for count, size in zip(match.groups(), _SECONDS.values(), strict=True) if count)


def iso(length: timedelta) -> str:
    """ISO 8601 in days, hours, minutes and seconds, without fractions: `PT8H`, `P3D`, `P1DT12H`."""
    date, time = "", ""
    for name, count in _parts(length):
        if name == "day":
            date = f"{count}D"
        else:
            time += f"{count}{name[0].upper()}"
    return f"P{date}{'T' if time or not date else ''}{time or ('' if date else '0S')}"


def iso_or_empty(length: timedelta | None) -> str:
    """ISO 8601; empty without a length."""
    return "" if length is None else iso(length)


def short(length: timedelta) -> str:
    """As written in gatehouse.toml: `8h`, `1d 12h`."""
    return " ".join(f"{count}{name[0]}" for name, count in _parts(length)) or "0s"


def words(length: timedelta) -> str:
    """`8 hours`, `1 day 12 hours`."""
    return _said(_parts(length)) or "0 seconds"


def rough(length: timedelta) -> str:
    """The largest unit, rounded down: `40 seconds`, `12 minutes`, `47 hours`, `5 days`. Days begin with two."""
    if HOUR <= length < 2 * DAY:
        return _said([("hour", length // HOUR)])
    return _said(_parts(length)[:1]) or "0 seconds"


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """How long ago `moment` was: `40 seconds ago`, `5 minutes ago`. The last ten seconds are `just now`."""
    gone = (now or clock.now()) - moment
    return "just now" if gone < JUST_NOW else f"{rough(gone)} ago"


def until(moment: datetime, *, now: datetime | None = None) -> str:
    """How far away `moment` is: `in 3 days`, `in 1 hour 20 minutes`, `in 40 seconds`. A past moment is `now`."""
    left = moment - (now or clock.now())
    if left < timedelta(seconds=1):
        return "now"
    parts = _parts(left)
    # one unit is enough, except where it would mislead: "1 hour" for 1 h 59 min
    close = len(parts) > 1 and parts[0][1] < 3 and parts[1][0] != "second"
    return f"in {_said(parts[: 2 if close else 1])}"


def _parts(length: timedelta) -> list[tuple[str, int]]:
    """The units that are not zero, largest first, down to seconds."""
    left, found = int(length.total_seconds()), []
    for name, size in _NAMES:
        count, left = divmod(left, size)
        if count:
            found.append((name, count))
    return found


def _said(parts: list[tuple[str, int]]) -> str:
    return " ".join(f"{count} {name}{'' if count == 1 else 's'}" for name, count in parts)
