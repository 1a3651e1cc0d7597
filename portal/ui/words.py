"""Times in words, in the active time zone, which is always named."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from portal.core import durations
from portal.core.clock import now as moment_now
from portal.core.durations import DAY, HOUR, JUST_NOW, MINUTE


def exact(moment: datetime) -> str:
    """`Saturday 21 November 2026, 17:00:05 CET (Europe/Berlin)`."""
    local = timezone.localtime(moment)
    zone = timezone.get_current_timezone_name()
    short = local.tzname() or ""
    named = short if short == zone else f"{short} ({zone})"
    return f"{date_format(local, 'l j F Y, H:i:s')} {named}"


def spoken(moment: datetime, *, now: datetime | None = None) -> str:
    """`today, 17:00 CET`, `tomorrow, 09:30 CET`, `Mon 24 Nov, 09:30 CET`, `3 Mar 2025, 09:30 CET`."""
    local, today = timezone.localtime(moment), timezone.localtime(now)
    days = (local.date() - today.date()).days
    if days in (-1, 0, 1):
        day = {-1: "yesterday", 0: "today", 1: "tomorrow"}[days]
    elif abs(days) < 150:
        day = date_format(local, "D j M")
    else:
        day = date_format(local, "j M Y")
    return f"{day}, {date_format(local, 'H:i')} {local.tzname()}"


def ago(moment: datetime, *, now: datetime | None = None) -> str:
    """`just now`, `12 minutes ago`; for a moment in the future `in 3 hours`."""
    now = now or moment_now()
    return durations.until(moment, now=now) if moment - now >= JUST_NOW else durations.ago(moment, now=now)


def left(ends: datetime, *, now: datetime | None = None) -> str:
    """`2 hours 5 minutes left`, `40 seconds left`, `time is over`."""
    gap = ends - (now or moment_now())
    if gap <= timedelta():
        return "time is over"
    if HOUR <= gap < DAY:
        return f"{durations.words(gap - gap % MINUTE)} left"
    return f"{durations.rough(gap)} left"


def clock(span: timedelta | float) -> str:
    """A measured duration: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`."""
    seconds = span.total_seconds() if isinstance(span, timedelta) else span
    if 0.05 <= seconds < 1:
        return f"{seconds:.1f} s"
    seconds = max(int(seconds), 0)
    for unit, size, below, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if seconds >= size:
            rest = seconds % size // part
            return f"{seconds // size} {unit}" + (f" {rest} {below}" if rest else "")
    return f"{seconds} s"
