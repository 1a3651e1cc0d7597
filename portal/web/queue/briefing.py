"""The facts that the queue shows for a decision, and the messages after a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Q, QuerySet

from accounts import people
from accounts.models import User
from portal.access import conflicts, queries
from portal.access.models import AccessRequest, Grant
from portal.access.states import REQUIRING
from portal.approvals import comments, kinds, rounds, tickets
from portal.approvals.models import Comment, Decision, Stage
from portal.approvals.permissions import check_can_decide
from portal.approvals.principals import Deciders
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core import durations
from portal.core.errors import why_not
from portal.web.requests import words

SHOWN = 5  # names, grants or requests, so that the pane fits on one screen; the others can be unfolded
LINE, LINES = 90, 6  # characters of a line, and lines, of a reason that fits into the pane


@dataclass(frozen=True)
class StageFacts:
    """One step of the decision: its approvers, its decisions, and how many approvals are missing."""

    stage: Stage
    approvers: list[User]
    decisions: list[Decision]

    @property
    def missing(self) -> int:
        return max(0, self.stage.quorum - len(self.decisions))


@dataclass(frozen=True)
class Briefing:
    """The facts in the pane. why_not: why the reader may not decide now; empty if they may."""

    request: AccessRequest
    policy: PolicySpec
    longest: timedelta
    stages: list[StageFacts]
    held: list[Grant]
    holds_it: Grant | None
    holders: list[User]
    earlier: list[AccessRequest]
    people: list[tuple[User, str]]
    ticket_url: str
    why_not: str
    conflict: str  # in words, the conflict with other access of the person
    comments: list[Comment]
    changed: str  # in words, the changes since the previous round
    returned: list[Decision]

    @property
    def sentence(self) -> str:
        return words.sentence(self.request)

    @property
    def is_long(self) -> bool:
        """Whether the reason may be too long for the pane."""
        lines = self.request.reason.split("\n")
        return sum(1 + len(line) // LINE for line in lines) > LINES

    @property
    def needs_confirmation(self) -> bool:
        """Whether an approval needs a confirmation, because the risk is high."""
        return self.request.entitlement.risk == Entitlement.Risk.HIGH


def brief(request: AccessRequest, *, reader: User) -> Briefing:
    """Collect the facts about `request` for `reader`. `request` must come from portal.access.queries."""
    rows = queries.held_by(request.beneficiary).exclude(status=Grant.Status.FAILED)
    held = [grant for grant in rows if grant.request_id != request.pk]
    held.sort(key=lambda grant: grant.entitlement.deployment_id != request.entitlement.deployment_id)
    policy = catalogue.policy(request.policy, request.policy_version)
    return Briefing(
        request=request,
        policy=policy,
        longest=request.approved_span,
        stages=[_stage(request, stage) for stage in request.stages.all() if stage.round == request.round],
        held=held,
        holds_it=queries.current_grants(held).get(request.entitlement_id),
        holders=list(_other_holders(request)),
        earlier=list(_earlier(request)),
        people=_people(request),
        ticket_url=tickets.address(request.ticket, policy),
        why_not=_why_not(request, reader),
        conflict=_conflict(request),
        comments=comments.readable_by(reader, request),
        changed=rounds.changes(request, request.round) if request.round > 1 else "",
        returned=[made for made in request.decisions.all() if made.outcome == Decision.Outcome.RETURN],
    )


def _stage(request: AccessRequest, stage: Stage) -> StageFacts:
    made = [decision for decision in request.decisions.all() if decision.stage_id == stage.pk]
    return StageFacts(stage, Deciders().of_stage(stage, request), made)


def _people(request: AccessRequest) -> list[tuple[User, str]]:
    """The requester and the beneficiary, each with their groups in words."""
    both = {person.pk: person for person in (request.requester, request.beneficiary)}
    return [(person, _groups(person)) for person in both.values()]


def _groups(person: User) -> str:
    named = sorted(s.removeprefix("group:") for s in people.subjects_of(person) if s.startswith("group:"))
    if not named:
        return "in no group" if person.is_active else "can no longer sign in"
    return f"{'group' if len(named) == 1 else 'groups'} {', '.join(named)}"


def _other_holders(request: AccessRequest) -> QuerySet[User]:
    rows = Grant.objects.filter(entitlement=request.entitlement, status__in=REQUIRING)
    others = rows.exclude(beneficiary=request.beneficiary).values("beneficiary")
    return User.objects.filter(pk__in=others).order_by("username")


def _earlier(request: AccessRequest) -> QuerySet[AccessRequest]:
    rows = AccessRequest.objects.filter(beneficiary=request.beneficiary, entitlement=request.entitlement)
    return rows.exclude(pk=request.pk).select_related("grant").order_by("-created_at", "-pk")


def _why_not(request: AccessRequest, reader: User) -> str:
    if request.status == AccessRequest.Status.RETURNED:
        return f"{request.ref} {request.waits}."
    if request.closed_at is not None:
        was = "" if request.status == AccessRequest.Status.LAPSED else "was "
        return f"{request.ref} {was}{request.get_status_display()} {durations.ago(request.closed_at)}."
    return why_not(check_can_decide, reader, request)


def _conflict(request: AccessRequest) -> str:
    """The conflict that prevents an approval now, by any approver; empty if there is none."""
    if request.closed_at is not None:
        return ""
    return why_not(conflicts.check_not_held, request.beneficiary, request.entitlement)


def following(request: AccessRequest, *, by: User) -> AccessRequest | None:
    """The request to decide after this one: the next in the queue, or else the oldest."""
    rows = queries.decidable_by(by)
    later = Q(created_at__gt=request.created_at) | Q(created_at=request.created_at, pk__gt=request.pk)
    return rows.filter(later).first() or rows.first()


def last_decisions(by: User) -> list[Decision]:
    """The last decisions of this person, shown when the queue is empty."""
    made = list(Decision.objects.filter(by=by).select_related("request").order_by("-at", "-pk")[:SHOWN])
    for decision, request in zip(made, kinds.specific(one.request for one in made), strict=True):
        decision.request = request
    return made


def outcome(request: AccessRequest, *, asked: timedelta) -> str:
    """The result of a decision and what happens next, in one or two sentences."""
    person = request.beneficiary.username
    what = kinds.of(request).label(request)
    if request.status == AccessRequest.Status.DENIED:
        return f"You denied {request.ref}. {request.requester.username} can read your reason on the request's page."
    if request.status == AccessRequest.Status.RETURNED:
        return f"You returned {request.ref}. {request.requester.username} can change it and send it again."
    if request.status == AccessRequest.Status.PENDING:
        return f"Your approval of {request.ref} is recorded. {_waits_for(request)}"
    given = request.approved_span
    less = f", instead of the requested {durations.words(asked)}" if given < asked else ""
    approved = f"You approved {request.ref} for {durations.words(given)}{less}."
    if request.grant.status == Grant.Status.SCHEDULED and request.starts_at:
        return f"{approved} {person} gets {what} {durations.until(request.starts_at)}."
    return f"{approved} Gatehouse is giving {person} {what}. The request's page shows the progress."


def _waits_for(request: AccessRequest) -> str:
    stage = request.stages.filter(status=Stage.Status.OPEN).first()
    able = [person.username for person in Deciders().of_stage(stage, request)] if stage else []
    return f"Next, {' or '.join(able)} decides." if able else "The next step is open."
