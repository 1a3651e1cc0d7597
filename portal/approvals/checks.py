"""Checks of the fields of a request of any kind. Each returns the errors by field; empty if there are none."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.approvals import tickets
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations
from portal.core.errors import Invalid
from portal.core.lookalikes import without_unseen
from portal.core.text_checks import clean_text

SHORTEST_REASON = 5  # letters and digits, for high risk
SHORTEST = timedelta(minutes=1)
FURTHEST_START = timedelta(days=90)
CLOCK_SLACK = timedelta(minutes=2)  # a start "now" from a slightly slow clock is not in the past


def reason_problem(reason: str) -> dict[str, str]:
    """The error if the reason for high-risk access is too short to decide on."""
    characters = [character for character in without_unseen(reason) if character.isalnum()]
    if len(characters) < SHORTEST_REASON or len(set(characters)) < 3:
        rule = f"High-risk access needs at least {SHORTEST_REASON} letters or digits, 3 of them different"
        return {"reason": f"Say in a few words what you will do with it. {rule}."}
    return {}


def reason_missing(reason: str) -> str:
    """In words, what is wrong with a reason that every policy needs; empty if nothing is."""
    try:
        clean_text("reason", reason, required="Say why you need it. The audit trail keeps it.")
    except Invalid as error:
        return error.fields["reason"]
    return ""


def text_problems(reason: str, ticket: str, policy: PolicySpec) -> dict[str, str]:
    """The errors of the reason and of the ticket. The policy says whether a ticket is required."""
    found: dict[str, str] = {"reason": said} if (said := reason_missing(reason)) else {}
    try:
        found |= tickets.problem(clean_text("ticket", ticket), policy)
    except Invalid as error:
        found |= error.fields
    return found


def start_problem(start: datetime | None, *, field: str) -> dict[str, str]:
    """The error of a wished start; None means as soon as possible."""
    if start is None:
        return {}
    now = clock.now()
    if start < now - CLOCK_SLACK:
        return {field: "The start is in the past. Leave it empty to start as soon as possible."}
    if start > now + FURTHEST_START:
        return {field: f"The start is more than {durations.words(FURTHEST_START)} away. Choose an earlier one."}
    return {}


def duration_problem(duration: timedelta, *, longest: timedelta) -> dict[str, str]:
    if duration < SHORTEST:
        return {"duration": f"Enter at least {durations.words(SHORTEST)}."}
    if duration > longest:
        return {"duration": f"Enter at most {durations.words(longest)}, not {durations.words(duration)}."}
    return {}
