"""Checks of the fields of a request for access, for the pages and the API."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.access import at_once
from portal.approvals.checks import duration_problem, reason_problem, start_problem, text_problems
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement


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
    found.update(start_problem(starts_at, field="starts_at") or at_once.start_problem(policy, starts_at))
    return found
