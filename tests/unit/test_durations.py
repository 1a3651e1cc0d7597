from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from portal.core import durations
from portal.ui.words import clock

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8h", timedelta(hours=8)),
        ("8H", timedelta(hours=8)),
        (" 3d ", timedelta(days=3)),
        ("1d 12h", timedelta(hours=36)),
        ("1d12h", timedelta(hours=36)),
        ("30m", timedelta(minutes=30)),
        ("90s", timedelta(seconds=90)),
        ("2w", timedelta(days=14)),
        ("PT8H", timedelta(hours=8)),
        ("P1DT12H30M", timedelta(hours=36, minutes=30)),
        ("p3d", timedelta(days=3)),
        ("P2W", timedelta(days=14)),
        ("1 hour", timedelta(hours=1)),
        ("8 hours", timedelta(hours=8)),
        ("1 Day 12 Hours", timedelta(hours=36)),
        ("90 minutes", timedelta(minutes=90)),
        ("90min", timedelta(minutes=90)),
        ("1 hour and 30 minutes", timedelta(minutes=90)),
        ("2 weeks, 1 day", timedelta(days=15)),
        ("1\u00a0hour", timedelta(hours=1)),
        ("3 min 5 s", timedelta(minutes=3, seconds=5)),
        ("2 hrs", timedelta(hours=2)),
    ],
)
def test_every_way_of_writing_a_length_of_time(text, expected):
    assert durations.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "8",
        "h",
        "8 moons",
        "an hour",
        "8 hours or so",
        "1 hour and",
        "3h 1d",
        "1 hour 60 m 5 minutes",
        "1h1h",
        "-8h",
        "1.5h",
        "٣h",
        "P",
        "PT",
        "P1DT",
        "P1M",
        "P1Y",
        "PT-8H",
    ],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match=r"examples: 30m, 8h, 3d"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["0h", "PT0S", "P0D"])
def test_zero_is_not_a_duration(text):
    with pytest.raises(ValueError, match="must be longer than zero"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["3651d", "999999999w", "P999999999D"])
def test_too_long_is_refused_before_it_overflows(text):
    with pytest.raises(ValueError, match="3650 days"):
        durations.parse(text)


@given(st.integers(min_value=1, max_value=3650 * 86_400))
def test_what_is_rendered_can_be_read_back(seconds):
    length = timedelta(seconds=seconds)
    assert durations.parse(durations.iso(length)) == length
    assert durations.parse(durations.short(length)) == length
    assert durations.parse(durations.words(length)) == length


@given(st.integers(min_value=1, max_value=3650 * 86_400))
def test_how_long_something_took_can_be_read_back(seconds):
    """`clock` leaves the smaller units out, so what is read is what it said."""
    said = clock(timedelta(seconds=seconds))
    assert clock(durations.parse(said)) == said


@pytest.mark.parametrize(
    ("length", "iso", "short", "words"),
    [
        (timedelta(hours=8), "PT8H", "8h", "8 hours"),
        (timedelta(days=1, hours=12), "P1DT12H", "1d 12h", "1 day 12 hours"),
        (timedelta(minutes=1), "PT1M", "1m", "1 minute"),
        (timedelta(days=30), "P30D", "30d", "30 days"),
        (timedelta(seconds=0), "PT0S", "0s", "0 seconds"),
    ],
)
def test_rendering(length, iso, short, words):
    assert (durations.iso(length), durations.short(length), durations.words(length)) == (iso, short, words)


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=9), "just now"),
        (timedelta(seconds=12), "12 seconds ago"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(hours=2, minutes=59), "2 hours ago"),
        (timedelta(hours=47, minutes=59), "47 hours ago"),
        (timedelta(hours=48), "2 days ago"),
        (timedelta(days=400), "400 days ago"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_how_long_ago(gone, said):
    assert durations.ago(NOW - gone) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (timedelta(seconds=-1), "now"),
        (timedelta(seconds=40), "in 40 seconds"),
        (timedelta(minutes=2, seconds=30), "in 2 minutes"),
        (timedelta(hours=1, minutes=59), "in 1 hour 59 minutes"),
        (timedelta(hours=5, minutes=59), "in 5 hours"),
        (timedelta(days=3), "in 3 days"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_how_far_away(left, said):
    assert durations.until(NOW + left) == said
