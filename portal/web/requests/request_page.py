"""The data of a request's page, for the views that show it."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict

from accounts.models import User
from portal.approvals import comments, kinds, tickets
from portal.approvals import permissions as on_requests
from portal.approvals.models import Request
from portal.approvals.timeline import timeline
from portal.catalogue.document import PolicySpec
from portal.core.errors import why_not
from portal.web.action_forms import ActionForm
from portal.web.kinds import registry
from portal.web.requests import words
from portal.web.requests.answer_forms import CommentForm


def context(
    user: User,
    asked: Any,
    *,
    again_form: ActionForm | None = None,
    comment_form: CommentForm | None = None,
) -> dict[str, Any]:
    """The request in a sentence, its state, its timeline, and the actions that `user` may take.

    again_form, comment_form: the form that was sent, if it has errors.
    """
    steps = timeline(asked)
    kind, display = kinds.of(asked), registry.of(asked)
    policy = kind.made_under(asked)
    own_data = display.page(asked, user)
    subject, column = display.state(asked)
    return {
        **own_data,
        "asked": asked,
        "parts": f"requests/{display.name}",
        "subject": subject,
        "mark_words": display.mark_words(asked),
        "column": column,
        "steps": steps,
        "sentence": kind.sentence(asked),
        "standing": words.standing(asked, steps, reader=user),
        "own": user.pk in (asked.requester_id, asked.beneficiary_id),
        "every": words.reload_seconds(asked),
        "mark": words.mark(asked, steps),
        "may": _may(user, asked) | own_data["may"],
        "ticket_url": tickets.address(asked.ticket, policy),
        "followed_from": asked.status,
        "again_form": again_form or _again_form(user, asked, policy),
        "comments": comments.readable_by(user, asked),
        "comment_form": comment_form or comment_form_of(user, asked),
    }


def _again_form(user: User, asked: Any, policy: PolicySpec) -> ActionForm | None:
    if asked.status != Request.Status.RETURNED or why_not(on_requests.check_can_resubmit, user, asked):
        return None
    return registry.of(asked).again_form(asked, policy)


def comment_form_of(user: User, asked: Request, data: QueryDict | None = None) -> CommentForm | None:
    """The form of a comment; None if `user` may not comment."""
    if why_not(on_requests.check_can_comment, user, asked):
        return None
    to_approvers = not why_not(on_requests.check_can_comment, user, asked, to_approvers=True)
    return CommentForm(data, to_approvers=to_approvers)


def _may(user: User, asked: Request) -> dict[str, bool]:
    """The actions that this person may take. The action itself checks whether the state still allows it."""
    asking = {"withdraw": on_requests.check_can_withdraw, "decide": on_requests.check_can_decide}
    return {name: not why_not(check, user, asked) for name, check in asking.items()}
