"""Access without a decision: by a policy that grants at once, or by break-glass.

Nobody looks at it before it is there, so it cannot be stored up: break-glass starts now or not at all, other access
within a day; what one person has or has booked of one entitlement is at most its longest time together; and one takes
it for oneself alone, because nobody asks the other person.
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
    """What is wrong with a start under a policy without steps, by field; empty when nothing is."""
    if policy.stages or starts_at is None:
        return {}
    ahead = starts_at - clock.now()
    if policy.break_glass and ahead > CLOCK_SLACK:
        return {"starts_at": "Break-glass access is for an emergency now: leave the start empty."}
    if ahead > WITHIN:
        return {
            "starts_at": f"Access that nobody decides on starts within {durations.words(WITHIN)}. "
            "Choose an earlier start, or come back then."
        }
    return {}


def check(by: User, beneficiary: User, entitlement: Entitlement, duration: timedelta) -> None:
    """Whether this may be granted without a decision. The people are locked, so two requests cannot both have the rest.

    Raises Refused (`only_for_oneself`), Invalid (`duration`).
    """
    if by != beneficiary:
        raise Refused(
            f"{entitlement.key} is granted without a decision, so everybody takes it for themselves: "
            f"{beneficiary.username} can ask for it.",
            reason="only_for_oneself",
        )
    there, longest = _had(beneficiary, entitlement), entitlement.max_duration
    if there + duration > longest:
        left = longest - there
        rest = (
            f"Ask for at most {durations.words(left)}, or" if left >= timedelta(minutes=1) else "Wait until it ends, or"
        )
        there_words, most = durations.words(there), durations.words(longest)
        raise Invalid(
            {
                "duration": f"Without an approval you can have {entitlement.key} for at most {most} in total, "
                f"and you already have {there_words}. {rest} hand it back first."
            },
            reason="at_once_limit",
        )


def check_again(grant: Grant) -> None:
    """Whether a failed grant, which did not count meanwhile, may be tried again. Raises Refused (`at_once_limit`)."""
    if not grant.at_once:
        return
    there, longest = _had(grant.beneficiary, grant.entitlement), grant.entitlement.max_duration
    if there + grant.duration > longest:
        raise Refused(
            f"Without an approval {grant.beneficiary.username} can have {grant.entitlement.key} for at most "
            f"{durations.words(longest)} in total. {grant.ref} is for {durations.words(grant.duration)}, and "
            f"{grant.beneficiary.username} already has {durations.words(there)}.",
            reason="at_once_limit",
        )


def _had(person: User, entitlement: Entitlement) -> timedelta:
    """For how long from now on the person has or has booked it without a decision, under any name of its Airflow."""
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
