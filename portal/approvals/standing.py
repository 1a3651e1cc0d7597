"""Checks that the status of a request allows an action. Each raises Conflict; the message names who closed the
request."""

from __future__ import annotations

from portal.approvals.models import Request
from portal.core import clock, durations
from portal.core.errors import Conflict

R = Request.Status


def check_pending(request: Request, *, round: int | None = None) -> None:
    """For a decision. round: the round that the approver has seen. It is required from the second round on."""
    if request.status != R.PENDING:
        raise _settled(request)
    _check_in_time(request)
    _check_round(request, round)


def check_returned(request: Request, *, round: int | None = None) -> None:
    """For a resubmission. round: the returned round that the person has seen."""
    if request.status == R.PENDING:
        raise Conflict(f"{request.ref} is waiting for a decision. It can be changed after an approver returns it.")
    if request.status != R.RETURNED:
        raise _settled(request)
    _check_in_time(request)
    if round is not None:
        _check_round(request, round)


def check_open(request: Request) -> None:
    if request.closed_at is not None:
        raise _settled(request)
    _check_in_time(request)


def _check_round(request: Request, seen: int | None) -> None:
    if seen is None and request.round > 1:
        message = f"{request.ref} was returned and changed. Read it again, and name the round that you read"
        raise Conflict(f"{message} (round {request.round}).")
    if seen is not None and seen != request.round:
        raise Conflict(f"{request.ref} was changed after you opened it. Read it again first.")


def _check_in_time(request: Request) -> None:
    if request.lapses_at <= clock.now():
        what = "sent again" if request.status == R.RETURNED else "decided"
        raise Conflict(f"{request.ref} was not {what} in time and has lapsed.", reason="lapsed")


def _settled(request: Request) -> Conflict:
    """An error that says who decided or closed the request, how and when."""
    last = request.decisions.select_related("by").last()
    ago = durations.ago(request.closed_at) if request.closed_at else ""
    if request.status == R.RETURNED and last is not None:
        return Conflict(f"{last.by.username} returned {request.ref} {durations.ago(last.at)} for changes.")
    if request.status == R.WITHDRAWN:
        if request.withdrawn_by is None:
            return Conflict(f"{request.ref} was withdrawn {ago}.")
        return Conflict(f"{request.withdrawn_by.username} withdrew {request.ref} {ago}.")
    if request.status == R.LAPSED:
        return Conflict(f"{request.ref} lapsed {ago}. {request.closed_because}".strip(), reason="lapsed")
    if last is None:
        return Conflict(f"{request.ref} was {request.get_status_display()} {ago}.")
    return Conflict(f"{last.by.username} {last.get_outcome_display()} {request.ref} {ago}.")
