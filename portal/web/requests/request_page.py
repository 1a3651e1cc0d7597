"""The data of a request's page, for the views that show it."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from accounts.models import User
from portal.access import permissions
from portal.access.models import AccessRequest, Grant
from portal.access.timeline import timeline
from portal.approvals import comments, tickets
from portal.approvals import permissions as on_requests
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core.errors import why_not
from portal.operations import queries as operations
from portal.web.requests import words
from portal.web.requests.answer_forms import CommentForm, ResubmitForm


def context(
    user: User,
    asked: AccessRequest,
    *,
    again_form: ResubmitForm | None = None,
    comment_form: CommentForm | None = None,
) -> dict[str, Any]:
    """The request in a sentence, its state, its timeline, and the actions that `user` may take.

    again_form, comment_form: the form that was sent, if it has errors.
    """
    steps = timeline(asked)
    policy = catalogue.policy(asked.policy, asked.policy_version)
    grant = words.grant_of(asked)
    return {
        "asked": asked,
        "grant": grant,
        "steps": steps,
        "sentence": words.sentence(asked),
        "standing": words.standing(asked, steps, reader=user),
        "own": user.pk in (asked.requester_id, asked.beneficiary_id),
        "every": words.reload_seconds(asked),
        "mark": words.mark(asked, steps),
        "operations": list(operations.of_subject(grant.ref)) if grant else [],
        "may": _may(user, asked),
        "ticket_url": tickets.address(asked.ticket, policy),
        "followed_from": asked.status,
        "again_form": again_form or _again_form(user, asked, policy),
        "comments": comments.readable_by(user, asked),
        "comment_form": comment_form or comment_form_of(user, asked),
    }


def _again_form(user: User, asked: AccessRequest, policy: PolicySpec) -> ResubmitForm | None:
    if asked.status != AccessRequest.Status.RETURNED or why_not(on_requests.check_can_resubmit, user, asked):
        return None
    return ResubmitForm(asked=asked, policy=policy)


def comment_form_of(user: User, asked: AccessRequest, data: QueryDict | None = None) -> CommentForm | None:
    """The form of a comment; None if `user` may not comment."""
    if why_not(on_requests.check_can_comment, user, asked):
        return None
    to_approvers = not why_not(on_requests.check_can_comment, user, asked, to_approvers=True)
    return CommentForm(data, to_approvers=to_approvers)


def _may(user: User, asked: AccessRequest) -> dict[str, bool]:
    """The actions that this person may take. The action itself checks whether the state still allows it."""
    asking = {"withdraw": on_requests.check_can_withdraw, "decide": on_requests.check_can_decide}
    may = {name: not why_not(check, user, asked) for name, check in asking.items()}
    grant = words.grant_of(asked)
    if grant is not None:
        may |= held(user, grant) | {"end": grant.status not in (Grant.Status.ENDING, Grant.Status.ENDED)}
    return may


def held(user: User, grant: Grant) -> dict[str, bool]:
    """The actions on a grant that this person may take."""
    checks = {
        "hand_back": permissions.check_can_hand_back,
        "revoke": permissions.check_can_revoke,
        "retry": permissions.check_can_retry,
    }
    return {name: not why_not(check, user, grant) for name, check in checks.items()}
