"""Times in words."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from portal.ui import words

NOW = datetime(2026, 11, 21, 16, 0, 5, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        (NOW, "today, 17:00 CET"),
        (NOW + timedelta(hours=7), "tomorrow, 00:00 CET"),  # still the same day in UTC
        (NOW - timedelta(days=1), "yesterday, 17:00 CET"),
        (NOW + timedelta(days=3), "Tue 24 Nov, 17:00 CET"),
        (datetime(2026, 7, 1, 10, 0, tzinfo=UTC), "Wed 1 Jul, 12:00 CEST"),
        (datetime(2025, 3, 3, 9, 30, tzinfo=UTC), "3 Mar 2025, 10:30 CET"),
    ],
)
def test_a_moment_is_said_in_the_active_zone_which_is_named(moment, said):
    with timezone.override(BERLIN):
        assert words.spoken(moment, now=NOW) == said


def test_exact_has_seconds_and_the_zone_by_its_full_name():
    with timezone.override(BERLIN):
        assert words.exact(NOW) == "Saturday 21 November 2026, 17:00:05 CET (Europe/Berlin)"
    with timezone.override(UTC):
        assert words.exact(NOW) == "Saturday 21 November 2026, 16:00:05 UTC"


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(), "just now"),
        (timedelta(seconds=40), "40 seconds ago"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=26), "26 hours ago"),
        (timedelta(days=3), "3 days ago"),
        (timedelta(minutes=-5), "in 5 minutes"),
    ],
)
def test_ago(gap, said):
    assert words.ago(NOW - gap, now=NOW) == said


@pytest.mark.parametrize(
    ("gap", "said"),
    [
        (timedelta(hours=2, minutes=5, seconds=3), "2 hours 5 minutes left"),
        (timedelta(hours=2), "2 hours left"),
        (timedelta(minutes=59), "59 minutes left"),
        (timedelta(days=6, hours=3), "6 days left"),
        (timedelta(), "time is over"),
        (timedelta(seconds=-1), "time is over"),
    ],
)
def test_left(gap, said):
    assert words.left(NOW + gap, now=NOW) == said
