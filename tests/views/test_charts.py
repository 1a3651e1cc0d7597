"""The small pictures: what they show must be what is so."""

import re
from datetime import UTC, datetime, timedelta

from portal.ui import charts

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def left_width(svg: str) -> float:
    return float(re.search(r'class="left" width="([\d.]+)"', svg)[1])


def test_the_time_bar_shortens():
    bars = [charts.time_bar(NOW, NOW + 8 * HOUR, now=NOW + n * HOUR) for n in (0, 2, 8, 9)]
    assert [left_width(bar) for bar in bars] == [100, 75, 0, 0]
    assert 'aria-label="6 hours left, of 8 hours"' in bars[1]


def test_its_last_tenth_asks_for_attention():
    assert 'data-tone="plain"' in charts.time_bar(NOW, NOW + 10 * HOUR, now=NOW + 9 * HOUR)
    assert 'data-tone="attention"' in charts.time_bar(NOW, NOW + 10 * HOUR, now=NOW + 9 * HOUR + timedelta(minutes=2))


def run(state: str, minutes: int | None) -> dict[str, str | None]:
    end = (NOW + timedelta(minutes=minutes)).isoformat() if minutes is not None else None
    return {"state": state, "started_at": NOW.isoformat(), "ended_at": end}


def test_run_bars_are_drawn_oldest_first_with_height_by_duration_and_tone_by_state():
    svg = charts.run_bars([run("running", None), run("failed", 5), run("success", 10)])
    bars = re.findall(r'<rect x="(\d+)"[^>]* height="(\d+)"[^>]*data-tone="(\w+)"', svg)
    assert bars == [("0", "24", "good"), ("7", "14", "refused"), ("14", "4", "waiting")]
    assert "Last 3 runs: " in svg
    assert "failed after 5 minutes" in svg


def test_no_runs_no_picture_and_never_more_than_twenty():
    assert charts.run_bars([]) == ""
    assert charts.run_bars([run("success", 1)] * 30).count("<rect") == 20


def test_what_airflow_says_is_escaped():
    assert "<script" not in charts.run_bars([run("<script>", 1)])
