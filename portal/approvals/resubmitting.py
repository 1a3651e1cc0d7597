"""Sending a returned request again, with changes. This begins another round, in which all steps are decided again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from accounts.acting import acting
from accounts.models import User
from portal.approvals import changes, kinds, lapsing, principals, searching, standing, tickets
from portal.approvals.models import Request, Resubmission
from portal.approvals.permissions import check_can_resubmit
from portal.approvals.states import REQUEST
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs
from portal.core.errors import Invalid, Refused, Wrong
from portal.core.text_checks import clean_text


def resubmit(
    *,
    request_id: int,
    by: User,
    duration: timedelta | None = None,
    reason: str | None = None,
    ticket: str | None = None,
    own: Mapping[str, Any] | None = None,
    round: int | None = None,
) -> Any:
    """Send a returned request again. An argument that is None leaves the field unchanged.

    own: new values of the terms that only its kind has, by name (`Kind.change`).
    round: the returned round that the person has seen. The ticket and the time to decide follow the policy version
    under which the request was made. The steps are those of the previous round. The rules in force decide who may make
    the request.
    Raises Invalid (by field), Refused (`not_yours`, `not_eligible`, `no_approver`, ...), Conflict if the request is not
    returned.
    """
    target = refs.ref(refs.REQUEST, request_id)
    about = Request.objects.filter(pk=request_id).values_list("beneficiary", flat=True)
    with acting(by, refusal=Verb.REQUEST_RESUBMIT_REFUSED, target=target, about=about) as (trail, by):
        request = changes.locked(request_id)
        kind = kinds.of(request)
        _check(by, request, round)
        before = Resubmission(
            request_id=request.pk,
            round=request.round + 1,
            duration_before=request.duration,
            reason_before=request.reason,
            ticket_before=request.ticket,
            own_before=kind.own_terms(request),
        )
        wrong, policy = Wrong(), kind.made_under(request)
        own_columns: Mapping[str, Any] = {}
        with wrong.collecting():
            _change(request, duration, reason, ticket)
        for name in own or {}:
            if name not in kind.changeable and name != "entered_secrets":
                wrong[name] = f"A request of this kind has no {name}. Leave it out."
        with wrong.collecting():
            own_columns = kind.change(request, own or {}, by=by)
        for name, said in kind.entry_problems(request, policy).items():
            wrong.setdefault(name, said)
        wrong.check()
        kind.check_again(request, by=by)
        if ticket_problem := tickets.problem(request.ticket, kind.policy(request)):
            raise Invalid(ticket_problem)
        if because := lapsing.outdated(request):
            raise Refused(because, reason="outdated")
        stages = changes.stages_of(request)
        principals.check_enough(stages, without={request.requester_id, request.beneficiary_id})
        request.reason, request.ticket = clean_text("reason", request.reason), clean_text("ticket", request.ticket)
        columns = {"duration": request.duration, "reason": request.reason, "ticket": request.ticket}
        lapses_at = clock.now() + policy.pending_for
        text = searching.search_text(request)
        REQUEST.move(
            request, to=Request.Status.PENDING, round=before.round, lapses_at=lapses_at, search_text=text, **columns
        )
        if own_columns:
            kind.model._default_manager.filter(pk=request.pk).update(**own_columns)
        before.save(force_insert=True)
        changes.copy_stages(request, stages)
        detail = {**columns, "duration": durations.iso_or_empty(request.duration), **kind.own_terms(request)}
        detail |= {"round": request.round, "lapses_at": lapses_at.isoformat()}
        changes.record(trail, Verb.REQUEST_RESUBMITTED, by, request, **detail)
    return request


def check_resubmission(*, request_id: int, by: User) -> None:
    """For a form with errors: check that `by` may send the request again. Raises Conflict, and Refused, which is
    recorded as for `resubmit`.
    """
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_RESUBMIT_REFUSED, target=target) as (_, by):
        _check(by, changes.locked(request_id), None)


def _check(by: User, request: Request, round: int | None) -> None:
    check_can_resubmit(by, request)
    standing.check_returned(request, round=round)


def _change(request: Request, duration: timedelta | None, reason: str | None, ticket: str | None) -> None:
    if reason is not None:
        request.reason = reason
    if ticket is not None:
        request.ticket = ticket
    if duration is not None:
        if request.duration is None:
            raise Invalid({"duration": "This request has no duration. Leave it out."})
        request.duration = duration
