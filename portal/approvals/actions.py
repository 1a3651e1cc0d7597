"""Actions on open requests of any kind: approve, deny, return for changes, withdraw.

Every action checks the rules, changes rows and records its events in one transaction
(portal.audit.record.recording). A refusal is raised as an exception and is recorded too.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction

from accounts.acting import acting
from accounts.models import User
from portal.approvals import changes, checks, kinds, standing
from portal.approvals.models import Decision, Request, Stage, approved_duration
from portal.approvals.permissions import check_can_decide, check_can_withdraw
from portal.approvals.states import REQUEST
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs
from portal.core.errors import Conflict, Wrong
from portal.core.text_checks import clean_text

R = Request.Status


def approve(
    *, request_id: int, by: User, comment: str = "", duration: timedelta | None = None, round: int | None = None
) -> Any:
    """Approve the open stage, if wanted for a shorter `duration`. The request is approved when its last stage has its
    quorum.

    round: the round that the approver has seen; None if it is not known.
    Raises Refused (`own_request`, `not_an_approver`, `already_decided`, ...), Invalid, and Conflict if somebody else
    was first; the error names that person.
    """
    target = refs.ref(refs.REQUEST, request_id)
    about = Request.objects.filter(pk=request_id).values_list("beneficiary", flat=True)
    with acting(by, refusal=Verb.REQUEST_APPROVE_REFUSED, target=target, about=about) as (trail, by):
        request = changes.locked(request_id)
        kind = kinds.of(request)
        standing.check_pending(request, round=round)
        check_can_decide(by, request)
        kind.check_again(request, by=by)
        longest = approved_duration(request)
        wrong = Wrong(_duration_problem(duration, longest) if duration is not None else {})
        with wrong.collecting():
            comment = clean_text("comment", comment)
        wrong.check()
        stage = request.stages.get(status=Stage.Status.OPEN)
        _decide(request, stage, by, Decision.Outcome.APPROVE, comment, duration)
        approved = durations.iso_or_empty(duration or longest)
        detail = {"comment": comment, "stage": stage.number, "duration": approved}
        event = changes.record(trail, Verb.REQUEST_APPROVED, by, request, **detail)
        has_quorum = stage.decisions.filter(outcome=Decision.Outcome.APPROVE).count() >= stage.quorum
        if has_quorum and _close_and_open_next(request, stage, trail):
            REQUEST.move(request, to=R.APPROVED, closed_at=clock.now())
            kind.approved(request, duration=approved_duration(request), event=event, trail=trail)
        else:
            event["detail"] |= {kind.result: None} if kind.result else {}
    return request


def _duration_problem(duration: timedelta, longest: timedelta | None) -> dict[str, str]:
    if longest is None:
        return {"duration": "This request has no duration, so it cannot be shortened. Leave the duration out."}
    return checks.duration_problem(duration, longest=longest)


def _close_and_open_next(request: Request, stage: Stage, trail: Trail) -> bool:
    """Close a stage that has its quorum, and open the next one. Returns whether there is no next one."""
    changes.close_stage(stage, to=Stage.Status.DONE)
    following = request.stages.filter(status=Stage.Status.WAITING).order_by("number").first()
    if following is None:
        return True
    changes.open_stage(following, request)
    detail = {"stage": stage.number, "next_stage": following.number}
    changes.record(trail, Verb.REQUEST_STAGE_DONE, None, request, **detail)
    return False


def deny(*, request_id: int, by: User, comment: str, round: int | None = None) -> Any:
    """Deny the request, with a reason for the requester. One denial closes the request.

    round: as for `approve`. Raises Refused, Conflict if somebody else was first, Invalid without a comment.
    """
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_DENY_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        standing.check_pending(request, round=round)
        check_can_decide(by, request)
        comment = clean_text("comment", comment, required="Say why you deny it. The requester reads this.")
        stage = request.stages.get(status=Stage.Status.OPEN)
        _decide(request, stage, by, Decision.Outcome.DENY, comment, None)
        changes.close(request, R.DENIED)
        changes.record(trail, Verb.REQUEST_DENIED, by, request, comment=comment, stage=stage.number)
    return request


def return_for_changes(*, request_id: int, by: User, comment: str, round: int | None = None) -> Any:
    """Return the request to the requester, who can change it and send it again. One return ends the round.

    round: as for `approve`. Raises Refused, Conflict if somebody else was first, Invalid without a comment.
    """
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_RETURN_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        standing.check_pending(request, round=round)
        check_can_decide(by, request)
        comment = clean_text("comment", comment, required="Say what should be changed. The requester reads this.")
        stage = request.stages.get(status=Stage.Status.OPEN)
        _decide(request, stage, by, Decision.Outcome.RETURN, comment, None)
        changes.close_stages(request)
        lapses_at = clock.now() + kinds.of(request).made_under(request).pending_for
        REQUEST.move(request, to=R.RETURNED, lapses_at=lapses_at)
        detail = {"comment": comment, "stage": stage.number, "lapses_at": lapses_at.isoformat()}
        changes.record(trail, Verb.REQUEST_RETURNED, by, request, **detail)
    return request


def check_decision(*, request_id: int, by: User, refusal: Verb) -> None:
    """For a form with errors: check that `by` may decide the request now. Raises Conflict, and Refused, which is
    recorded as `refusal`.
    """
    with acting(by, refusal=refusal, target=refs.ref(refs.REQUEST, request_id)) as (_, by):
        request = changes.locked(request_id)
        standing.check_pending(request, round=request.round)
        check_can_decide(by, request)


def withdraw(*, request_id: int, by: User) -> Any:
    """Withdraw an open request. Raises Refused (`not_yours`), or Conflict if it is closed already."""
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_WITHDRAW_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        check_can_withdraw(by, request)
        standing.check_open(request)
        changes.close(request, R.WITHDRAWN, withdrawn_by=by)
        changes.record(trail, Verb.REQUEST_WITHDRAWN, by, request)
    return request


def _decide(request: Request, stage: Stage, by: User, outcome: str, comment: str, duration: timedelta | None) -> None:
    try:
        with transaction.atomic():
            Decision.objects.create(
                request_id=request.pk,
                round=request.round,
                stage=stage,
                by=by,
                outcome=outcome,
                comment=comment,
                duration=duration,
            )
    except IntegrityError:
        raise Conflict(f"You have already decided {request.ref}.", reason="already_decided") from None
