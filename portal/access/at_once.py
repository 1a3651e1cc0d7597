"""Access without a decision: by a policy without steps, or by break-glass.

Nobody checks such access before it is granted, so three rules limit it:
- Break-glass access starts at once, other access within a day.
- All such access of one person to one entitlement, current and scheduled, is together at most the entitlement's longest
  duration.
- People can request it only for themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import User
from portal.access.models import Grant
from portal.catalogue import airflows
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core import clock, durations
from portal.core.errors import Invalid, Refused

G = Grant.Status
WITHIN = timedelta(days=1)
CLOCK_SLACK = timedelta(minutes=2)  # a start "now" from a clock that is slightly fast is not in the future


def start_problem(policy: PolicySpec, starts_at: datetime | None) -> dict[str, str]:
    """The error of a start under a policy without steps, by field; empty if it is valid."""
    if policy.stages or starts_at is None:
        return {}
    ahead = starts_at - clock.now()
    if policy.break_glass and ahead > CLOCK_SLACK:
        return {"starts_at": "Break-glass access is for an emergency now: leave the start empty."}
    if ahead > WITHIN:
        return {
            "starts_at": f"Access without an approval starts within {durations.words(WITHIN)}. "
            "Choose an earlier start, or request it later."
        }
    return {}


def check(by: User, beneficiary: User, entitlement: Entitlement, duration: timedelta) -> None:
    """Check that this may be granted without a decision. `by` is locked, so two requests cannot both use the remaining
    time.

    Raises Refused (`only_for_oneself`), Invalid (`duration`).
    """
    if by != beneficiary:
        raise Refused(
            f"{entitlement.key} is granted without an approval, so people can request it only for themselves. "
            f"{beneficiary.username} can request it.",
            reason="only_for_oneself",
        )
    used, longest = _time_without_decision(beneficiary, entitlement), entitlement.max_duration
    if used + duration > longest:
        left = longest - used
        rest = (
            f"Request at most {durations.words(left)}, or" if left >= timedelta(minutes=1) else "Wait until it ends, or"
        )
        used_words, most = durations.words(used), durations.words(longest)
        raise Invalid(
            {
                "duration": f"Without an approval you can have {entitlement.key} for at most {most} in total, "
                f"and you already have {used_words}. {rest} hand it back first."
            },
            reason="at_once_limit",
        )


def check_again(grant: Grant) -> None:
    """Check that a failed grant may be tried again. While it was failed, its time did not count. Raises Refused
    (`at_once_limit`)."""
    if not grant.at_once:
        return
    used, longest = _time_without_decision(grant.beneficiary, grant.entitlement), grant.entitlement.max_duration
    if used + grant.duration > longest:
        raise Refused(
            f"Without an approval {grant.beneficiary.username} can have {grant.entitlement.key} for at most "
            f"{durations.words(longest)} in total. {grant.ref} is for {durations.words(grant.duration)}, and "
            f"{grant.beneficiary.username} already has {durations.words(used)}.",
            reason="at_once_limit",
        )


def _time_without_decision(person: User, entitlement: Entitlement) -> timedelta:
    """The remaining time of the person's current and scheduled access to the entitlement without a decision, on all
    deployments with the address of its Airflow."""
    rows = Grant.objects.filter(
        beneficiary=person,
        deployment__in=airflows.with_same_address(entitlement.deployment),
        role=entitlement.role,
        status__in=(G.SCHEDULED, G.APPLYING, G.ACTIVE),
        at_once=True,
    )
    now = clock.now()
    return sum(
        (max(grant.ends_at - now, timedelta()) if grant.ends_at else grant.duration for grant in rows), timedelta()
    )
