"""Permissions for actions on requests. Every check raises Refused with a reason."""

from __future__ import annotations

from accounts import people
from accounts.models import User
from portal.approvals import principals
from portal.approvals.models import Request, Stage
from portal.core.errors import Refused


def is_own(by: User, request: Request) -> bool:
    return by.pk in (request.requester_id, request.beneficiary_id)


def check_can_decide(by: User, request: Request) -> None:
    """Check that `by` may decide the open stage. Reasons: `own_request`, `not_an_approver`, `already_decided`,
    `inactive`.

    The state of the request is checked by the action. Group membership is read now, not from the sign-in.
    """
    if not by.is_active:
        raise Refused("This account can no longer sign in.", reason="inactive")
    if by.pk == request.requester_id:
        raise Refused("This is your own request. Someone else must decide it.", reason="own_request")
    if by.pk == request.beneficiary_id:
        raise Refused("This request is for you. Someone else must decide it.", reason="own_request")
    if request.decisions.filter(by=by, round=request.round).exists():
        raise Refused("You have already decided this request. Each person decides once.", reason="already_decided")
    stage = request.stages.filter(status=Stage.Status.OPEN).first()
    subjects = list(stage.approvers.values_list("subject", flat=True)) if stage else []
    if not people.is_one_of(by, subjects):
        named = principals.words(subjects) or "nobody"
        raise Refused(f"You are not an approver of this step; {named} decides.", reason="not_an_approver")


def check_can_resubmit(by: User, request: Request) -> None:
    if by.pk != request.requester_id:
        raise Refused("Only the person who asked can change a request and send it again.", reason="not_yours")


def check_can_comment(by: User, request: Request, *, to_approvers: bool = False) -> None:
    """Reasons: `not_involved`, `not_an_approver`.

    to_approvers: only for the approvers; the requester and the beneficiary may not write such a comment.
    """
    is_approver = principals.is_named_in(by, request)
    if not (is_own(by, request) or is_approver):
        message = "Only the requester, the person it is for, and its approvers can comment on a request."
        raise Refused(message, reason="not_involved")
    if to_approvers and (is_own(by, request) or not is_approver):
        raise Refused(
            "Only an approver of this request can write a comment only for its approvers.", reason="not_an_approver"
        )


def check_can_withdraw(by: User, request: Request) -> None:
    if not is_own(by, request):
        raise Refused("Only the person who asked, or the person it is for, can withdraw a request.", reason="not_yours")
