"""Small charts as SVG. Sizes are attributes, because the content security policy allows no inline styles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from portal.core import durations
from portal.ui import tones, words

SHOWN = 20
STEP, WIDTH, HEIGHT = 7, 5, 24


def time_bar(start: datetime, end: datetime, *, now: datetime) -> SafeString:
    """The time left between `start` and `end`. The last tenth has the tone "attention"."""
    total = max((end - start).total_seconds(), 1)
    left = min(max((end - now).total_seconds(), 0), total)
    percent = round(1000 * left / total) / 10
    return format_html(
        '<svg class="time-bar" data-tone="{}" viewBox="0 0 100 4" preserveAspectRatio="none"'
        ' role="img" aria-label="{}">'
        '<rect class="ground" width="100" height="4"/><rect class="left" width="{}" height="4"/></svg>',
        "attention" if percent < 10 else "plain",
        f"{words.left(end, now=now)}, of {durations.rough(end - start)}",
        f"{percent:g}",
    )


def run_bars(runs: Iterable[Mapping[str, Any]]) -> SafeString | str:
    """One bar for each of the last 20 runs, from the oldest to the newest. `runs` has the newest first."""
    shown = list(runs)[:SHOWN][::-1]
    if not shown:
        return ""
    longest = max((_seconds(run) for run in shown), default=0) or 1
    bars = []
    for place, run in enumerate(shown):
        height = 4 + round(20 * _seconds(run) / longest)
        bars.append((place * STEP, HEIGHT - height, WIDTH, height, tones.of_state(run.get("state")).tone, _label(run)))
    counts = Counter(str(run.get("state")) for run in shown)
    summary = ", ".join(f"{number} {name}" for name, number in counts.most_common())
    return format_html(
        '<svg class="run-bars" viewBox="0 0 {0} {1}" width="{0}" height="{1}" role="img" aria-label="{2}">{3}</svg>',
        len(shown) * STEP,
        HEIGHT,
        f"Last {len(shown)} runs: {summary}",
        format_html_join(
            "",
            '<rect x="{}" y="{}" width="{}" height="{}" rx="1" data-tone="{}"><title>{}</title></rect>',
            bars,
        ),
    )


def _times(run: Mapping[str, Any]) -> tuple[datetime | None, datetime | None]:
    start, end = run.get("started_at"), run.get("ended_at")
    return parse_datetime(start) if start else None, parse_datetime(end) if end else None


def _seconds(run: Mapping[str, Any]) -> float:
    start, end = _times(run)
    return max((end - start).total_seconds(), 0) if start and end else 0


def _label(run: Mapping[str, Any]) -> str:
    start, end = _times(run)
    took = f" after {durations.rough(timedelta(seconds=_seconds(run)))}" if start and end else ""
    at = f", started {words.spoken(start)}" if start else ""
    return f"{run.get('state')}{took}{at}"
