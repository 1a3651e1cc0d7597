"""Schedules of DAGs in words. Airflow names a preset, or a cron expression in the DAG's own time zone."""

from __future__ import annotations

import re

PRESETS = {
    "@once": "once",
    "@continuous": "continuously",
    "@hourly": "every hour",
    "@daily": "every day at 00:00",
    "@weekly": "every Sunday at 00:00",
    "@monthly": "on day 1 of every month at 00:00",
    "@quarterly": "on day 1 of every third month at 00:00",
    "@yearly": "every year on 1 January at 00:00",
}
DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NUMBER = re.compile(r"\d{1,2}")
_EVERY = re.compile(r"\*/(\d{1,2})")


def in_words(schedule: str) -> str:
    """`every Monday at 05:00`; the schedule as Airflow names it if it is not one of the common ones."""
    return PRESETS.get(schedule) or _cron(schedule.split()) or schedule


def _cron(fields: list[str]) -> str:
    if len(fields) != 5 or fields[3] != "*":
        return ""
    minute, hour, day, _, weekday = fields
    if (day, weekday) == ("*", "*") and hour == "*":
        if every := _EVERY.fullmatch(minute):
            return f"every {every[1]} minutes"
        return f"every hour at minute {minute}" if _NUMBER.fullmatch(minute) else ""
    if not _NUMBER.fullmatch(minute):
        return ""
    if (every := _EVERY.fullmatch(hour)) and (day, weekday) == ("*", "*"):
        return f"every {every[1]} hours at minute {minute}"
    if not _NUMBER.fullmatch(hour):
        return ""
    at = f"at {int(hour):02}:{int(minute):02}"
    if (day, weekday) == ("*", "*"):
        return f"every day {at}"
    if day == "*":
        return f"{_weekday(weekday)} {at}" if _weekday(weekday) else ""
    return f"on day {int(day)} of every month {at}" if weekday == "*" and _NUMBER.fullmatch(day) else ""


def _weekday(field: str) -> str:
    if field in ("1-5", "MON-FRI"):
        return "Monday to Friday"
    return f"every {DAYS[int(field)]}" if field.isdigit() and int(field) < len(DAYS) else ""
