"""Sentences about a request: what was requested, its state, and what happens next."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from accounts.models import User
from portal.access import at_once
from portal.access.queries import Option
from portal.approvals.checks import duration_problem, start_problem
from portal.approvals.lapsing import NOT_IN_TIME
from portal.approvals.models import Request
from portal.approvals.steps import Step
from portal.core import clock, durations
from portal.core.errors import Invalid
from portal.ui import words
from portal.web.kinds import registry
from portal.web.requests.forms import RequestForm

R = Request.Status


def standing(request: Request, steps: list[Step], *, reader: User) -> str:
    """The state of the request, and what it means."""
    if request.status == R.APPROVED:
        return registry.of(request).standing(request, reader)
    if request.status == R.PENDING:
        now = next((step.title for step in steps if step.state == "now"), "Waiting for a decision")
        return f"{now}. If nobody decides, it lapses {words.spoken(request.lapses_at)}."
    if request.status == R.RETURNED:
        who = "You" if reader.pk == request.requester_id else request.requester.username
        ask = f"{who} can change it and send it again."
        return f"It was returned for changes. {ask} If nobody does, it lapses {words.spoken(request.lapses_at)}."
    return {
        R.DENIED: "It was denied; the reason is below. Nothing was changed in Airflow.",
        R.WITHDRAWN: "It was withdrawn. Nothing was changed in Airflow.",
        R.LAPSED: f"It lapsed. {request.closed_because or NOT_IN_TIME} Nothing was changed in Airflow.",
    }[R(request.status)]


def sent(request: Request) -> str:
    """The message after a request was sent."""
    if request.status == R.PENDING:
        return f"{request.ref} was sent. This page shows its progress. You can close it."
    return registry.of(request).sent(request)


def sent_again(request: Request) -> str:
    """The message after a form was sent a second time."""
    return (
        f"You already sent this form {words.ago(request.created_at)}. It made {request.ref}. No new request was made. "
        "To ask again, start a new request."
    )


class Outlook(NamedTuple):
    """text: what the person will have if the request is approved. action: the label of the button."""

    text: str
    action: str


def outlook(option: Option, form: RequestForm) -> Outlook:
    """The preview of the request. It is computed again at every change of the form."""
    what = f"“{option.entitlement.title}” on {option.entitlement.deployment.name}"
    verb = "Break the glass" if option.policy.break_glass else "Send request"
    span = form.span
    if span is None:
        return Outlook(f"Choose for how long you need {what}.", verb)
    start = form.cleaned_data.get("starts_at") if form.is_bound else None
    if form.is_bound and "starts_at" in form.errors:
        return Outlook(str(form.errors["starts_at"][0]), verb)
    if wrong := _refused(option, span, start):
        return Outlook(" ".join(wrong.values()), verb)
    if start:
        text = f"You will have {what} from {words.spoken(start)} until {words.spoken(start + span)}."
    elif option.policy.stages:
        text = f"If approved now, you will have {what} until {words.spoken(clock.now() + span)}."
    else:
        text = f"You will have {what} until {words.spoken(clock.now() + span)}."
    return Outlook(text, f"{verb} for {durations.words(span)}")


def _refused(option: Option, span: timedelta, start: datetime | None) -> dict[str, str]:
    """The errors that the action would raise now, by field."""
    wrong = duration_problem(span, longest=option.entitlement.max_duration)
    wrong |= start_problem(start, field="starts_at") or at_once.start_problem(option.policy, start)
    if not wrong and option.held and not option.policy.stages:
        person = option.held.beneficiary
        try:
            at_once.check(person, person, option.entitlement, span)
        except Invalid as error:
            wrong |= error.fields
    return wrong


def reload_seconds(request: Request) -> int:
    """After how many seconds the page of this request loads it again; 0 if nothing can change any more."""
    if request.closed_at is None:
        return 3
    return registry.of(request).reload_seconds(request) if request.status == R.APPROVED else 0


def mark(request: Request, steps: list[Step]) -> str:
    """A hash of what the page shows, to find out whether it has changed."""
    said = [request.status, *registry.of(request).shows(request), *(repr(step) for step in steps)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
