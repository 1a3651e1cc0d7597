"""Sentences about a request: what was requested, its state, and what happens next."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import NamedTuple

from accounts.models import User
from portal.access import at_once
from portal.access.models import AccessRequest, Grant
from portal.access.queries import Option
from portal.access.timeline import Step
from portal.approvals import kinds
from portal.approvals.checks import duration_problem, start_problem
from portal.approvals.lapsing import NOT_IN_TIME
from portal.core import clock, durations
from portal.core.errors import Invalid
from portal.ui import words
from portal.web.requests.forms import RequestForm

R, G = AccessRequest.Status, Grant.Status
SOON = timedelta(minutes=5)


def sentence(request: AccessRequest) -> str:
    """`employee asks for “Operator” on prod for 8 hours`; in the past once it is decided."""
    verb = "asks" if request.closed_at is None else "asked"
    what = kinds.of(request).label(request)
    whom = "" if request.requester_id == request.beneficiary_id else f" on behalf of {request.beneficiary.username}"
    return f"{request.requester.username} {verb} for {what} for {durations.words(request.span)}{whom}"


def standing(request: AccessRequest, steps: list[Step], *, reader: User) -> str:
    """The state of the request, and what it means."""
    grant = grant_of(request)
    if grant is not None:
        return _granted(request, grant, reader)
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
    }.get(R(request.status), "It is approved.")


def _granted(request: AccessRequest, grant: Grant, reader: User) -> str:
    holds = "You hold" if reader.pk == request.beneficiary_id else f"{request.beneficiary.username} holds"
    where = request.entitlement.deployment.name
    if grant.status == G.SCHEDULED and grant.starts_at:
        return f"The access begins {words.spoken(grant.starts_at)}."
    if grant.status == G.APPLYING:
        return f"The role is being given in Airflow on {where}."
    if grant.status == G.ACTIVE and grant.left_at:
        return f"The role is missing in Airflow on {where} and is not given again. A platform admin can try again."
    if grant.status == G.ACTIVE and grant.missing_since:
        return f"Airflow on {where} no longer shows the role. The role is being given again."
    if grant.status == G.ACTIVE and grant.unusable_since:
        return f"The access cannot be used: the account is deactivated in Airflow on {where}."
    if grant.status == G.ACTIVE and grant.ends_at:
        return f"{holds} it until {words.spoken(grant.ends_at)}. Airflow on {where} shows the role."
    if grant.status == G.ENDING and not grant.end_reason:
        return f"The role could not be given. Gatehouse is undoing changes that it may have made in Airflow on {where}."
    if grant.status == G.ENDING:
        return f"The role is being taken away in Airflow on {where}."
    if grant.status == G.FAILED:
        return "The role could not be given in Airflow. A platform admin can try again."
    ended = f" {words.spoken(grant.ended_at)}" if grant.ended_at else ""
    return f"The access ended{ended}: {grant.get_end_reason_display()}."


def sent(request: AccessRequest) -> str:
    """The message after a request was sent."""
    if request.status == R.PENDING:
        return f"{request.ref} was sent. This page shows its progress. You can close it."
    # the page shows the current state, so this message must be true in every state
    how = "You used emergency access (break-glass)" if request.break_glass else "Its policy needs no decision"
    return f"{request.ref} was sent. {how}. This page shows its progress in Airflow."


def sent_again(request: AccessRequest) -> str:
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


def grant_of(request: AccessRequest) -> Grant | None:
    return getattr(request, "grant", None)


def reload_seconds(request: AccessRequest) -> int:
    """After how many seconds the page of this request loads it again; 0 if nothing can change any more."""
    grant = grant_of(request)
    if grant is None:
        return 3 if request.closed_at is None else 0
    if grant.status in (G.APPLYING, G.ENDING):
        return 2
    turns_at = {G.SCHEDULED: grant.starts_at, G.ACTIVE: grant.ends_at}.get(G(grant.status))
    if turns_at is None:
        return 0
    return 3 if turns_at - clock.now() < SOON else 30


def mark(request: AccessRequest, steps: list[Step]) -> str:
    """A hash of what the page shows, to find out whether it has changed."""
    grant = grant_of(request)
    left = words.left(grant.ends_at) if grant and grant.status == G.ACTIVE and grant.ends_at else ""
    said = [request.status, grant.status if grant else "", left, *(repr(step) for step in steps)]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]
