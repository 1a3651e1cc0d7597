"""Checking what people enter: one validator for the pages and the API."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta

from portal.access import at_once, tickets
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core import clock, durations
from portal.core.errors import Invalid
from portal.core.lookalikes import without_unseen
from portal.core.token_text import COMPLETE

MAX_TEXT = 2000
SHORTEST_REASON = 5  # letters and digits, for access of high risk
SHORTEST = timedelta(minutes=1)
FURTHEST_START = timedelta(days=90)
CLOCK_SLACK = timedelta(minutes=2)  # a start "now" from a slightly slow clock is not in the past


def clean_text(field: str, text: str, *, required: str = "") -> str:
    """`text` without surrounding space; empty when all its characters are invisible.

    required: what to say when nothing is left; empty when the field may be empty.
    Raises Invalid (`field`) for control, direction or unpaired characters, for a text that is too long, and for one
    that contains an API token: others would read it.
    """
    text = text.replace("\r\n", "\n").strip()
    if len(text) > MAX_TEXT:
        raise Invalid({field: f"The text has {len(text)} characters; at most {MAX_TEXT} are possible."})
    for character in text:
        category = unicodedata.category(character)
        if category == "Cs" or (category in ("Cc", "Cf") and character not in "\n\t\u200d\u200c\u00ad"):
            code = f"U+{ord(character):04X}"
            raise Invalid({field: f"The text contains an invisible character ({code}). Remove it."})
    if COMPLETE.search(text):
        raise Invalid({field: f"The {field} contains an API token. Take it out."})
    if not without_unseen(text).strip():
        text = ""
    if required and not text:
        raise Invalid({field: required})
    return unicodedata.normalize("NFC", text)


def problems(
    entitlement: Entitlement,
    policy: PolicySpec,
    *,
    duration: timedelta,
    reason: str,
    ticket: str,
    starts_at: datetime | None,
) -> dict[str, str]:
    """Everything wrong with a request at once, by field; empty when it can be submitted."""
    found: dict[str, str] = {}
    found.update(duration_problem(duration, longest=entitlement.max_duration))
    try:
        clean_text("reason", reason, required="Say why you need it. The audit trail keeps it.")
    except Invalid as error:
        found.update(error.fields)
    try:
        found.update(tickets.problem(clean_text("ticket", ticket), policy))
    except Invalid as error:
        found.update(error.fields)
    if "reason" not in found and entitlement.risk == Entitlement.Risk.HIGH:
        found.update(reason_problem(reason))
    found.update(start_problem(starts_at) or at_once.start_problem(policy, starts_at))
    return found


def reason_problem(reason: str) -> dict[str, str]:
    """Whether the reason for access of high risk says anything: somebody has to decide by it."""
    said = [character for character in without_unseen(reason) if character.isalnum()]
    if len(said) < SHORTEST_REASON or len(set(said)) < 3:
        rule = f"High-risk access needs at least {SHORTEST_REASON} letters or digits, 3 of them different"
        return {"reason": f"Say in a few words what you will do with it. {rule}."}
    return {}


def start_problem(starts_at: datetime | None) -> dict[str, str]:
    if starts_at is None:
        return {}
    now = clock.now()
    if starts_at < now - CLOCK_SLACK:
        return {"starts_at": "The start is in the past. Leave it empty to start as soon as possible."}
    if starts_at > now + FURTHEST_START:
        return {"starts_at": f"The start is more than {durations.words(FURTHEST_START)} away. Choose an earlier one."}
    return {}


def duration_problem(duration: timedelta, *, longest: timedelta) -> dict[str, str]:
    if duration < SHORTEST:
        return {"duration": f"Enter at least {durations.words(SHORTEST)}."}
    if duration > longest:
        return {"duration": f"Enter at most {durations.words(longest)}, not {durations.words(duration)}."}
    return {}
