"""A policy in sentences: who may request, who decides, what is needed, what happens next."""

from __future__ import annotations

from collections.abc import Sequence

from accounts.models import User
from portal.access.queries import Option
from portal.approvals import principals, tickets
from portal.catalogue.document import StageSpec
from portal.core import durations
from portal.ui.templatetags.gatehouse import names


def deciders(able: Sequence[User], stage: StageSpec) -> str:
    """The approvers of a stage: `lead or lead2`, `2 of lead, lead2 and lead3`."""
    if not able:
        return "nobody at the moment"
    if stage.quorum > 1:
        return f"{stage.quorum} of {names(able, 'and')}"
    return names(able)


def who_decides(option: Option) -> str:
    """Who decides, in a few words for a row of a list."""
    if option.policy.break_glass:
        return "for emergencies: given at once"
    if not option.policy.stages:
        return "given at once"
    stages = zip(option.approvers, option.policy.stages, strict=True)
    return ", then ".join(deciders(able, stage) for able, stage in stages) + " decides"


def rules(option: Option) -> list[str]:
    """The rules of the policy, each as a sentence."""
    policy = option.policy
    offered = principals.words(policy.may_request)
    said = [f"Offered to {offered}.", f"For at most {durations.words(option.entitlement.max_duration)}."]
    if policy.stages:
        steps = "one step" if len(policy.stages) == 1 else f"{len(policy.stages)} steps, one after the other"
        said.append(f"Decided in {steps}. You cannot decide your own request.")
        within = durations.words(policy.pending_for)
        said.append(f"Lapses (is closed without a decision) if it is not decided within {within}.")
    elif policy.break_glass:
        said.append("For emergencies: given at once without a decision, and marked as break-glass in the audit trail.")
    else:
        said.append("Given at once, without a decision.")
    if policy.ticket:
        said.append(f"Needs a ticket. {tickets.words(policy)}")
    if policy.conflicts_with:
        said.append(f"Not together with {', '.join(policy.conflicts_with)}.")
    return said


def next_steps(option: Option) -> list[str]:
    """What happens after the request is sent, in order."""
    where = option.entitlement.deployment.name
    stages = zip(option.approvers, option.policy.stages, strict=True)
    said = [
        f"{deciders(able, stage).capitalize() if not able else deciders(able, stage)} decides."
        for able, stage in stages
    ]
    said.append(
        f"Gatehouse gives you the role in Airflow on {where} and checks that Airflow shows it. "
        "This usually takes a few seconds."
    )
    said.append(
        "Your time starts then. At its end the role is taken away, unless your other access needs it. "
        "You can hand it back earlier."
    )
    return said
