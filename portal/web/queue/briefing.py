"""The facts that the queue shows for a decision, and the messages after a decision."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts import people
from accounts.models import User
from portal.approvals import comments, kinds, queries, rounds, tickets
from portal.approvals.models import Comment, Decision, Request, Stage
from portal.approvals.permissions import check_can_decide
from portal.approvals.principals import Deciders
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.core import durations
from portal.core.errors import why_not
from portal.web.kinds import registry

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

    request: Any
    policy: PolicySpec
    facts: Any  # those that only its kind has
    stages: list[StageFacts]
    people: list[tuple[User, str]]
    ticket_url: str
    why_not: str
    conflict: str  # in words, the conflict with other access of the person
    comments: list[Comment]
    changed: str  # in words, the changes since the previous round
    returned: list[Decision]

    @property
    def sentence(self) -> str:
        return kinds.of(self.request).sentence(self.request)

    @property
    def starts_at(self) -> datetime | None:
        return registry.of(self.request).starts_at(self.request)

    @property
    def mark_words(self) -> str:
        return registry.of(self.request).mark_words(self.request)

    @property
    def parts(self) -> str:
        """The folder with the templates of the kind."""
        return f"queue/{self.request.kind}"

    @property
    def is_long(self) -> bool:
        """Whether the reason may be too long for the pane."""
        lines = self.request.reason.split("\n")
        return sum(1 + len(line) // LINE for line in lines) > LINES

    @property
    def needs_confirmation(self) -> bool:
        """Whether an approval needs a confirmation, because the risk is high."""
        return bool(self.request.risk == Entitlement.Risk.HIGH)


def brief(request: Any, *, reader: User) -> Briefing:
    """Collect the facts about `request` for `reader`. `request` must come from portal.approvals.queries."""
    display, policy = registry.of(request), kinds.of(request).made_under(request)
    return Briefing(
        request=request,
        policy=policy,
        facts=display.facts(request, reader),
        stages=[_stage(request, stage) for stage in request.stages.all() if stage.round == request.round],
        people=_people(request),
        ticket_url=tickets.address(request.ticket, policy),
        why_not=_why_not(request, reader),
        conflict=display.conflict(request) if request.closed_at is None else "",
        comments=comments.readable_by(reader, request),
        changed=rounds.changes(request, request.round) if request.round > 1 else "",
        returned=[made for made in request.decisions.all() if made.outcome == Decision.Outcome.RETURN],
    )


def _stage(request: Request, stage: Stage) -> StageFacts:
    made = [decision for decision in request.decisions.all() if decision.stage_id == stage.pk]
    return StageFacts(stage, Deciders().of_stage(stage, request), made)


def _people(request: Request) -> list[tuple[User, str]]:
    """The requester and the beneficiary, each with their groups in words."""
    both = {person.pk: person for person in (request.requester, request.beneficiary)}
    return [(person, _groups(person)) for person in both.values()]


def _groups(person: User) -> str:
    named = sorted(s.removeprefix("group:") for s in people.subjects_of(person) if s.startswith("group:"))
    if not named:
        return "in no group" if person.is_active else "can no longer sign in"
    return f"{'group' if len(named) == 1 else 'groups'} {', '.join(named)}"


def _why_not(request: Request, reader: User) -> str:
    if request.status == Request.Status.RETURNED:
        return f"{request.ref} {request.waits}."
    if request.closed_at is not None:
        was = "" if request.status == Request.Status.LAPSED else "was "
        return f"{request.ref} {was}{request.get_status_display()} {durations.ago(request.closed_at)}."
    return why_not(check_can_decide, reader, request)


def following(request: Request, *, by: User) -> Any:
    """The request to decide after this one: the next in the queue, or else the oldest; None if there is none."""
    rows = queries.decidable_by(by)
    later = Q(created_at__gt=request.created_at) | Q(created_at=request.created_at, pk__gt=request.pk)
    found = rows.filter(later).first() or rows.first()
    return queries.full([found])[0] if found else None


def last_decisions(by: User) -> list[tuple[Decision, str]]:
    """The last decisions of this person with the requested things, shown when the queue is empty."""
    made = list(Decision.objects.filter(by=by).select_related("request").order_by("-at", "-pk")[:SHOWN])
    about = kinds.specific(one.request for one in made)
    return [(decision, kinds.of(asked).label(asked)) for decision, asked in zip(made, about, strict=True)]


def outcome(request: Any, *, asked: timedelta | None) -> str:
    """The result of a decision and what happens next, in one or two sentences."""
    if request.status == Request.Status.DENIED:
        return f"You denied {request.ref}. {request.requester.username} can read your reason on the request's page."
    if request.status == Request.Status.RETURNED:
        return f"You returned {request.ref}. {request.requester.username} can change it and send it again."
    if request.status == Request.Status.PENDING:
        return f"Your approval of {request.ref} is recorded. {_waits_for(request)}"
    return registry.of(request).outcome(request, asked)


def _waits_for(request: Request) -> str:
    stage = request.stages.filter(status=Stage.Status.OPEN).first()
    able = [person.username for person in Deciders().of_stage(stage, request)] if stage else []
    return f"Next, {' or '.join(able)} decides." if able else "The next step is open."
