"""The timeline of a request for people: past, current and future steps."""

from __future__ import annotations

from typing import Any

from portal.approvals import kinds, rounds
from portal.approvals.lapsing import NOT_IN_TIME
from portal.approvals.models import Decision, Request, Stage
from portal.approvals.principals import Deciders
from portal.approvals.steps import Step
from portal.core import durations

R = Request.Status


def timeline(request: Any) -> list[Step]:
    """All steps from the request to the end of its result. Reads what `queries.full` prefetched."""
    asked = Step("Asked", "done", at=request.created_at, by=request.requester, note=rounds.terms(request)[0].reason)
    return [asked, *_decisions(request), *kinds.of(request).steps(request)]


def _decisions(request: Request) -> list[Step]:
    stages = list(request.stages.all())
    if not stages:
        title, note = kinds.of(request).at_once_words(request)
        return [Step(title, "done", at=request.closed_at, note=note)]
    steps = []
    sent_again = {number: _sent_again(request, number) for number in range(2, request.round + 1)}
    for stage in stages:
        if stage.round in sent_again:
            steps.append(sent_again.pop(stage.round))
        made = [decision for decision in request.decisions.all() if decision.stage_id == stage.pk]
        steps += [_decided(decision) for decision in made]
        if stage.status == Stage.Status.OPEN:
            steps.append(_awaited(request, stage, "now", missing=stage.quorum - len(made)))
        elif stage.status == Stage.Status.WAITING:
            steps.append(_awaited(request, stage, "future", missing=stage.quorum))
    if request.status == R.RETURNED:
        deadline = f"lapses {durations.until(request.lapses_at)}"
        steps.append(Step(f"{request.requester.username} can change it and send it again", "now", expected=deadline))
    if request.status == R.WITHDRAWN:
        steps.append(Step("Withdrawn", "bad", at=request.closed_at, by=request.withdrawn_by))
    if request.status == R.LAPSED:
        why = request.closed_because or NOT_IN_TIME
        steps.append(Step("Lapsed", "bad", at=request.closed_at, note=why))
    return steps


def _decided(decision: Decision) -> Step:
    if decision.outcome == Decision.Outcome.DENY:
        return Step("Denied", "bad", at=decision.at, by=decision.by, note=decision.comment)
    if decision.outcome == Decision.Outcome.RETURN:
        return Step("Returned for changes", "done", at=decision.at, by=decision.by, note=decision.comment)
    title = "Approved"
    if decision.duration is not None:
        title = f"Approved for {durations.words(decision.duration)}"
    return Step(title, "done", at=decision.at, by=decision.by, note=decision.comment)


def _sent_again(request: Request, number: int) -> Step:
    """The beginning of a round, with its changes compared with the previous round."""
    at = next((one.at for one in request.resubmissions.all() if one.round == number), None)
    note = rounds.changes(request, number) or "Nothing was changed."
    return Step("Sent again", "done", at=at, by=request.requester, note=note)


def _awaited(request: Request, stage: Stage, state: str, *, missing: int) -> Step:
    able = [person.username for person in Deciders().of_stage(stage, request)]
    names = " or ".join(able) if len(able) < 5 else f"one of {len(able)} approvers"
    if missing > 1:
        names = f"{missing} of {', '.join(able)}"
    deadline = f"lapses {durations.until(request.lapses_at)}" if state == "now" else ""
    return Step(
        f"{names or 'Nobody at the moment'} decides" if missing < 2 else f"{names} decide", state, expected=deadline
    )
