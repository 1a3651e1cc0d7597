"""The steps of a grant in the timeline of its request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from portal.access.models import AccessRequest, Grant
from portal.approvals.steps import Step
from portal.core import durations
from portal.operations import queries as operations
from portal.operations.models import Operation

G, Why = Grant.Status, Grant.EndReason
ENDED: Mapping[str, str] = {
    Why.EXPIRED: "Expired",
    Why.REVOKED: "Revoked",
    Why.HANDED_BACK: "Handed back",
    Why.LEAVER: "Ended because its holder left",
    Why.NOT_ELIGIBLE: "Ended because its holder is no longer eligible",
}


def steps(request: AccessRequest) -> list[Step]:
    """The steps after the decision. Reads the prefetched grant."""
    grant = getattr(request, "grant", None)
    if grant is not None:
        return _applied(grant) + _ended(grant)
    if request.closed_at is not None:
        return []
    start = request.starts_at
    return [
        Step("Given in Airflow and verified", "future", at=start, expected="" if start else "after approval"),
        Step("Ends", "future", expected=f"{durations.words(request.approved_span)} after it is verified"),
    ]


def _applied(grant: Grant) -> list[Step]:
    where = grant.entitlement.deployment.name
    if grant.status == G.SCHEDULED:
        return [Step(f"Given in Airflow on {where}", "future", at=grant.starts_at)]
    if grant.verified_at is not None:
        verified = Step(
            f"Verified in Airflow on {where}",
            "done",
            at=grant.verified_at,
            note="Airflow showed the role. It takes effect there within half a minute.",
        )
        return [verified, *_differences(grant)]
    if grant.status == G.ENDING and not grant.end_reason:
        return [Step(f"Could not be given in Airflow on {where}", "bad", note=grant.failure)]
    if grant.status == G.FAILED:
        return [Step(f"Could not be given in Airflow on {where}", "bad", at=_settled_at(grant), note=grant.failure)]
    if grant.status == G.APPLYING:
        return [Step(f"Being given in Airflow on {where}", "now", note=_waiting(grant))]
    return []


def _differences(grant: Grant) -> list[Step]:
    """The differences between Airflow and a live grant."""
    where = grant.entitlement.deployment.name
    if grant.status != G.ACTIVE:
        return []
    if grant.left_at is not None:
        often = f"It was given again {grant.given_again} times. " if grant.given_again else ""
        note = f"{often}{grant.failure} An Airflow admin can give it back, or a platform admin can try again here."
        return [Step(f"Missing in Airflow on {where}", "bad", at=grant.missing_since, note=" ".join(note.split()))]
    if grant.missing_since is not None:
        title = f"Airflow on {where} no longer shows it; it is being given again"
        return [Step(title, "now", at=grant.missing_since, note=_waiting(grant))]
    if grant.unusable_since is not None:
        note = f"Nobody can sign in with the account “{grant.airflow_user}” until an Airflow admin activates it."
        return [Step(f"The account is deactivated in Airflow on {where}", "bad", at=grant.unusable_since, note=note)]
    return []


def _shown_again(grant: Grant) -> list[Step]:
    """The steps if Airflow shows the role again after the end of the grant."""
    where = grant.entitlement.deployment.name
    if grant.back_since is None:
        return []
    if operations.of_subject(grant.ref).filter(status__in=operations.OPEN).exists():
        title = f"Came back in Airflow on {where}; it is being taken away again"
        return [Step(title, "now", at=grant.back_since, note=_waiting(grant))]
    note = "Somebody may have given it on purpose, so Gatehouse does not change it. An Airflow admin can take it away."
    return [Step(f"Airflow on {where} shows the role again", "bad", at=grant.back_since, note=note)]


def _ended(grant: Grant) -> list[Step]:
    if grant.status == G.ENDED:
        how = ENDED.get(grant.end_reason, "Ended")
        if grant.verified_at is None and grant.starts_at and grant.ended_at and grant.ended_at < grant.starts_at:
            return [
                Step(f"{how} before it began", "done", at=grant.ended_at, by=grant.ended_by, note=grant.end_comment)
            ]
        over = Step(
            f"{how}; {_role_at_end(grant)}", "done", at=grant.ended_at, by=grant.ended_by, note=grant.end_comment
        )
        return [over, *_shown_again(grant)]
    if grant.status == G.ENDING and not grant.end_reason:
        note = _waiting(grant)
        return [Step("Being taken away in Airflow, in case it was given in part", "now", note=note)]
    if grant.status == G.ENDING:
        why = f"{grant.get_end_reason_display()}. {_waiting(grant)}".strip()
        return [Step("Being taken away in Airflow", "now", by=grant.ended_by, note=why[:1].upper() + why[1:])]
    if grant.status == G.FAILED:
        return _shown_again(grant)
    expected = "" if grant.ends_at else f"{durations.words(grant.duration)} after it is verified"
    return [Step("Ends", "future", at=grant.ends_at, expected=expected)]


def _role_at_end(grant: Grant) -> str:
    """In words, the role in Airflow when the grant ended."""
    if grant.sent_at is None and grant.verified_at is None:
        return "nothing had been given in Airflow"
    return f"the role stayed in Airflow for {grant.kept_for}" if grant.kept_for else "Airflow confirmed that it is gone"


def _operation(grant: Grant) -> Operation | None:
    return operations.of_subject(grant.ref).last()


def _waiting(grant: Grant) -> str:
    operation = _operation(grant)
    return operations.why_waiting(operation) if operation else ""


def _settled_at(grant: Grant) -> datetime | None:
    operation = _operation(grant)
    return operation.settled_at if operation else None
