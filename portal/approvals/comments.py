"""Comments on a request. They are not decisions. Some are only for the approvers."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from accounts import people
from accounts.acting import acting
from accounts.credentials import sees_everybody
from accounts.models import User
from portal.approvals import changes
from portal.approvals.models import Comment, Request
from portal.approvals.permissions import check_can_comment, is_own
from portal.audit.verbs import Verb
from portal.core import once, refs
from portal.core.errors import Invalid
from portal.core.text_checks import clean_text

ALL, APPROVERS = Comment.Audience.ALL, Comment.Audience.APPROVERS


def comment(*, request_id: int, by: User, text: str, audience: str = ALL, key: str | None = None) -> Comment:
    """Add a comment for all who may see the request, or only for its approvers.

    key: of the form. A form that is sent twice adds one comment.
    Raises Refused (`not_involved`, `not_an_approver`), Invalid (`text`, `for`).
    """
    with acting(by, refusal=Verb.REQUEST_COMMENT_REFUSED, target=refs.ref(refs.REQUEST, request_id)) as (trail, by):
        key = once.bind(key, request=request_id, text=text, audience=audience)
        if key and (sent := Comment.objects.filter(by=by, key=key).first()) is not None:
            return sent
        request = changes.locked(request_id)
        if audience not in Comment.Audience:
            raise Invalid({"for": f"Choose {ALL} or {APPROVERS}, not “{audience[:40]}”."})
        check_can_comment(by, request, to_approvers=audience == APPROVERS)
        text = clean_text("text", text, required="Write a comment.")
        try:
            with transaction.atomic():
                made = Comment.objects.create(request_id=request.pk, by=by, text=text, audience=audience, key=key)
        except IntegrityError:
            return Comment.objects.get(by=by, key=key)
        changes.record(trail, Verb.REQUEST_COMMENTED, by, request, comment=text, **{"for": str(audience)})
    return made


def readable_by(user: User, request: Request) -> list[Comment]:
    """The comments on a request that `user` may read. Reads the prefetched stages and comments.

    Comments for approvers are shown to approvers and auditors, but not to the requester or the beneficiary.
    """
    return [one for one in request.comments.all() if one.audience == ALL or _reads_all(user, request)]


def _reads_all(user: User, request: Request) -> bool:
    if is_own(user, request):
        return False
    named = {approver.folded for stage in request.stages.all() for approver in stage.approvers.all()}
    return sees_everybody(user) or not people.subjects_of(user).isdisjoint(named)
