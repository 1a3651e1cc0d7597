"""Creating a request. The packages of the kinds call this inside their transaction, after their checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from django.db import IntegrityError, transaction

from accounts.models import User
from portal.approvals import changes, kinds, searching
from portal.approvals.models import Request, Submission
from portal.approvals.states import REQUEST
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.catalogue.document import StageSpec
from portal.core import clock, durations
from portal.core.errors import Conflict

Row = TypeVar("Row", bound=Request)


def sent_before(by: User, key: str | None) -> Request | None:
    """The request that this person already made with the form `key`, with `sent_again` set; None if there is none."""
    if not key:
        return None
    row = Request.objects.filter(submission__by=by, submission__key=key).order_by("pk").first()
    if row is None:
        return None
    request: Request = kinds.specific([row])[0]
    request.sent_again = True
    return request


def open_request(request: Row, *, key: str | None, stages: Sequence[StageSpec], trail: Trail, **detail: object) -> Row:
    """Insert a request that its package has checked, with its stages, and record it.

    key: of the form (portal.core.once). If the same form is sent twice at the same moment, both calls return the first
    request, the second one with `sent_again` set.
    Raises Conflict (`already_open`) if the beneficiary has an open request for the same thing.
    """
    request.search_text = searching.search_text(request)
    try:
        with transaction.atomic():
            request.submission = Submission.objects.create(by=request.requester, key=key)
            request.save(force_insert=True)
    except IntegrityError:
        sent = sent_before(request.requester, key)
        if isinstance(sent, type(request)):
            return sent
        other = Request.objects.filter(
            beneficiary=request.beneficiary, kind=request.kind, about=request.about, closed_at=None
        ).first()
        if other is None:
            raise
        message = f"{other.ref} already asks for {request.about} and {other.waits}."
        raise Conflict(message, reason="already_open") from None
    changes.copy_stages(request, stages)
    changes.record(
        trail,
        Verb.REQUEST_SUBMITTED,
        request.requester,
        request,
        kind=request.kind,
        beneficiary=request.beneficiary.username,
        reason=request.reason,
        duration=durations.iso_or_empty(request.duration),
        ticket=request.ticket,
        policy=request.policy,
        policy_version=request.policy_version,
        lapses_at=request.lapses_at.isoformat(),
        **detail,
    )
    return request


def grant_at_once(request: Request, *, trail: Trail, **detail: object) -> None:
    """Approve a new request whose policy has no stages."""
    REQUEST.move(request, to=Request.Status.APPROVED, closed_at=clock.now())
    event = changes.record(trail, Verb.REQUEST_GRANTED_AT_ONCE, None, request, **detail)
    kinds.of(request).approved(request, duration=request.duration, event=event, trail=trail)
