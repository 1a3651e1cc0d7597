"""The number of runs that start when a DAG is unpaused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from portal.dags.models import DagState
from portal.dags.pauses import catching_up

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def state(**values) -> DagState:
    given = {"schedule": "@daily", "catchup": True, "next_run_at": NOON - timedelta(hours=12), "seen_at": NOON}
    return DagState(**{**given, **values})


@pytest.mark.parametrize(
    ("schedule", "first", "missed"),
    [
        ("@daily", NOON - timedelta(hours=12), 1),
        ("@daily", NOON - timedelta(days=13, hours=12), 14),
        ("*/5 * * * *", NOON - timedelta(minutes=30), 7),
        ("* * * * *", NOON - timedelta(days=30), catching_up.MOST + 1),
        ("1 day, 0:00:00", NOON - timedelta(days=3), None),
    ],
)
def test_the_missed_times_of_a_schedule_are_counted(schedule, first, missed):
    assert catching_up.missed_runs(schedule, first, NOON) == missed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Airflow catches up: 1 missed run starts at once. The first was due 12 hours ago."),
        (
            {"next_run_at": NOON - timedelta(days=13, hours=12), "max_active_runs": 16},
            "about 14 missed runs start at once, at most 16 at a time",
        ),
        ({"catchup": False}, "Airflow starts the last missed one at once"),
        ({"schedule": "1 day, 0:00:00"}, "it starts all runs that were missed since 12 hours ago"),
        ({"next_run_at": NOON + timedelta(hours=1)}, ""),
        ({"next_run_at": None}, ""),
        ({"schedule": ""}, ""),
    ],
)
def test_what_unpausing_starts_is_said(values, words):
    with time_machine.travel(NOON, tick=False):
        said = catching_up.in_words(state(**values))
    assert words in said if words else said == ""
