"""Checks of the fields of a request for access, for the pages and the API."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.access import at_once
from portal.approvals.checks import duration_problem, reason_problem, text_problems
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core import clock, durations

FURTHEST_START = timedelta(days=90)
CLOCK_SLACK = timedelta(minutes=2)  # a start "now" from a slightly slow clock is not in the past


def problems(
    entitlement: Entitlement,
    policy: PolicySpec,
    *,
    duration: timedelta,
    reason: str,
    ticket: str,
    starts_at: datetime | None,
) -> dict[str, str]:
    """All errors of a request, by field; empty if it can be submitted."""
    found: dict[str, str] = {}
    found.update(duration_problem(duration, longest=entitlement.max_duration))
    found.update(text_problems(reason, ticket, policy))
    if "reason" not in found and entitlement.risk == Entitlement.Risk.HIGH:
        found.update(reason_problem(reason))
    found.update(start_problem(starts_at) or at_once.start_problem(policy, starts_at))
    return found


def start_problem(starts_at: datetime | None) -> dict[str, str]:
    if starts_at is None:
        return {}
    now = clock.now()
    if starts_at < now - CLOCK_SLACK:
        return {"starts_at": "The start is in the past. Leave it empty to start as soon as possible."}
    if starts_at > now + FURTHEST_START:
        return {"starts_at": f"The start is more than {durations.words(FURTHEST_START)} away. Choose an earlier one."}
    return {}
