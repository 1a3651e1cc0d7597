"""What people do with requests: ask, approve, deny, withdraw. The only writers of requests and decisions.

Every action checks, changes rows and records its events in one transaction (portal.audit.record.recording), and writes
what is to be done in Airflow into the outbox within it. A refusal is raised, never returned, and is recorded too.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction

from accounts import people
from accounts.acting import acting
from accounts.models import User
from portal.access import at_once, changes, conflicts, entry, grants, searching
from portal.access.grant_changes import given
from portal.access.models import AccessRequest, Decision, Grant, Stage, StageApprover
from portal.access.permissions import check_can_decide, check_can_receive, check_can_withdraw, subject_words
from portal.access.states import REQUEST, STAGE
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import StageSpec
from portal.catalogue.models import Entitlement
from portal.core import clock, durations, once, refs
from portal.core.errors import Conflict, Invalid, Refused
from portal.core.text import fold

R = AccessRequest.Status


def submit(
    *,
    by: User,
    entitlement: Entitlement,
    duration: timedelta,
    reason: str,
    ticket: str = "",
    starts_at: datetime | None = None,
    beneficiary: User | None = None,
    key: str | None = None,
) -> AccessRequest:
    """Ask for `entitlement` for `beneficiary` (default: `by`). Where the policy grants at once, it is approved already.

    key: identifies the form it was sent with. The same person's same key and content give the same request, marked
    `sent_again`; the same key with other content is asked anew.
    Raises Invalid (by field), Refused (`not_eligible`, `not_offered`, `conflicting_access`, `no_approver`,
    `only_for_oneself`), Conflict (`already_open`).
    """
    starts_at = starts_at.astimezone(UTC) if starts_at else None  # as its events say it
    about = [beneficiary.pk] if beneficiary else []
    with acting(by, refusal=Verb.REQUEST_SUBMIT_REFUSED, target=entitlement.key, about=about) as (trail, by):
        beneficiary = User.objects.get(pk=beneficiary.pk) if beneficiary else by
        entitlement = Entitlement.objects.select_related("deployment").get(pk=entitlement.pk)
        key = once.bound(
            key,
            entitlement=entitlement.key,
            beneficiary=beneficiary.pk,
            duration=duration,
            reason=reason,
            ticket=ticket,
            starts_at=starts_at,
        )
        if key and (sent := _sent(by, key)):
            return sent
        version = catalogue.version_in_force()
        if version is None:
            raise Refused("No catalogue is in force yet. Ask a platform admin.", reason="not_offered")
        policy = catalogue.policy(entitlement.policy, version.number)
        check_can_receive(beneficiary, entitlement, policy, speaks_to=by)
        check_can_receive(by, entitlement, policy, speaks_to=by)
        wrong = entry.problems(
            entitlement, policy, duration=duration, reason=reason, ticket=ticket, starts_at=starts_at
        )
        if wrong:
            raise Invalid(wrong)
        conflicts.check_not_asked_or_held(beneficiary, entitlement)
        if policy.stages:
            _check_somebody_can_decide(policy.stages, without={by.pk, beneficiary.pk})
        else:
            at_once.check(by, beneficiary, entitlement, duration)
        now = clock.now()
        request = _insert(
            AccessRequest(
                requester=by,
                beneficiary=beneficiary,
                entitlement=entitlement,
                duration=duration,
                reason=entry.clean_text("reason", reason),
                ticket=entry.clean_text("ticket", ticket),
                starts_at=starts_at if starts_at and starts_at > now and not policy.break_glass else None,
                policy=entitlement.policy,
                policy_version=version.number,
                break_glass=policy.break_glass,
                lapses_at=now + policy.pending_for,
                key=key,
            )
        )
        if request.sent_again:
            return request
        _copy_stages(request, policy.stages)
        changes.record(
            trail,
            Verb.REQUEST_SUBMITTED,
            by,
            request,
            beneficiary=beneficiary.username,
            reason=request.reason,
            duration=durations.iso(duration),
            ticket=request.ticket,
            policy=request.policy,
            policy_version=version.number,
            break_glass=policy.break_glass,
            starts_at=request.starts_at.isoformat() if request.starts_at else "",
            lapses_at=request.lapses_at.isoformat(),
            **_marked(request),
        )
        if not policy.stages:
            REQUEST.move(request, to=R.APPROVED, closed_at=now)
            made = changes.record(
                trail, Verb.REQUEST_GRANTED_AT_ONCE, None, request, break_glass=policy.break_glass, **_marked(request)
            )
            _name_grant(made, grants.create(request, duration=duration, trail=trail))
    return request


def approve(*, request_id: int, by: User, comment: str = "", duration: timedelta | None = None) -> AccessRequest:
    """Approve the step that is open, also for a shorter `duration`. The last step's quorum makes the grant.

    Raises Refused (`own_request`, `not_an_approver`, `already_decided`, ...), Conflict with who was first, Invalid.
    """
    target = refs.ref(refs.REQUEST, request_id)
    about = AccessRequest.objects.filter(pk=request_id).values_list("beneficiary", flat=True)
    with acting(by, refusal=Verb.REQUEST_APPROVE_REFUSED, target=target, about=about) as (trail, by):
        request = changes.locked(request_id)
        _check_pending(request)
        check_can_decide(by, request)
        policy = catalogue.policy(request.entitlement.policy)  # who may hold it is said by the rules in force
        check_can_receive(request.beneficiary, request.entitlement, policy, speaks_to=by)
        conflicts.check_not_held(request.beneficiary, request.entitlement)
        longest = approved_duration(request)
        if duration is not None and (wrong := entry.duration_problem(duration, longest=longest)):
            raise Invalid(wrong)
        stage = request.stages.get(status=Stage.Status.OPEN)
        comment = entry.clean_text("comment", comment)
        _decide(request, stage, by, Decision.Outcome.APPROVE, comment, duration)
        made = changes.record(
            trail,
            Verb.REQUEST_APPROVED,
            by,
            request,
            comment=comment,
            stage=stage.number,
            duration=durations.iso(duration or longest),
        )
        grant = None
        if stage.decisions.filter(outcome=Decision.Outcome.APPROVE).count() >= stage.quorum:
            grant = _close_stage(request, stage, trail)
        _name_grant(made, grant)
    return request


def _marked(request: AccessRequest) -> dict[str, str]:
    """The words by which break-glass is found in the trail."""
    return {"marked": "break-glass"} if request.break_glass else {}


def _name_grant(made: Entry, grant: Grant | None) -> None:
    """Say in the event of an approval which grant came of it, if any: no grant is right without such an event."""
    if grant is None:
        made["detail"]["grant"] = None
        return
    made["about"].append(grant.ref)
    made["detail"] |= {
        "grant": grant.ref,
        "beneficiary": grant.beneficiary.username,
        "duration": durations.iso(grant.duration),
        "starts_at": grant.starts_at.isoformat() if grant.starts_at else "",
        **given(grant),
    }


def _close_stage(request: AccessRequest, stage: Stage, trail: Trail) -> Grant | None:
    """The stage has its quorum: open the next one, or approve the request and make its grant, which is returned."""
    STAGE.move(stage, to=Stage.Status.DONE)
    following = request.stages.filter(status=Stage.Status.WAITING).order_by("number").first()
    if following is not None:
        STAGE.move(following, to=Stage.Status.OPEN)
        changes.record(trail, Verb.REQUEST_STAGE_DONE, None, request, stage=stage.number, next_stage=following.number)
        return None
    REQUEST.move(request, to=R.APPROVED, closed_at=clock.now())
    return grants.create(request, duration=approved_duration(request), trail=trail)


def deny(*, request_id: int, by: User, comment: str) -> AccessRequest:
    """Refuse the request, with a reason the requester will read. One denial ends it.

    Raises Refused, Conflict with who was first, Invalid without a comment.
    """
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_DENY_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        _check_pending(request)
        check_can_decide(by, request)
        comment = entry.clean_text("comment", comment, required="Say why you deny it. The requester reads this.")
        stage = request.stages.get(status=Stage.Status.OPEN)
        _decide(request, stage, by, Decision.Outcome.DENY, comment, None)
        changes.close(request, R.DENIED)
        changes.record(trail, Verb.REQUEST_DENIED, by, request, comment=comment, stage=stage.number)
    return request


def withdraw(*, request_id: int, by: User) -> AccessRequest:
    """Take back a pending request. Raises Refused (`not_yours`) or Conflict when it is settled already."""
    target = refs.ref(refs.REQUEST, request_id)
    with acting(by, refusal=Verb.REQUEST_WITHDRAW_REFUSED, target=target) as (trail, by):
        request = changes.locked(request_id)
        check_can_withdraw(by, request)
        _check_pending(request)
        changes.close(request, R.WITHDRAWN, withdrawn_by=by)
        changes.record(trail, Verb.REQUEST_WITHDRAWN, by, request)
    return request


def approved_duration(request: AccessRequest) -> timedelta:
    """What was asked for, or the shortest time an approver made of it."""
    shortened = [d for d in request.decisions.values_list("duration", flat=True) if d is not None]
    return min([request.duration, *shortened])


def _check_pending(request: AccessRequest) -> None:
    """Raise Conflict that says who settled the request, how and when."""
    if request.status == R.PENDING:
        if request.lapses_at <= clock.now():
            raise Conflict(f"{request.ref} was not decided in time and has lapsed.", reason="lapsed")
        return
    last = request.decisions.select_related("by").last()
    ago = durations.ago(request.closed_at) if request.closed_at else ""
    if request.status == R.WITHDRAWN:
        if request.withdrawn_by is None:
            raise Conflict(f"{request.ref} was withdrawn {ago}.")
        raise Conflict(f"{request.withdrawn_by.username} withdrew {request.ref} {ago}.")
    if request.status == R.LAPSED:
        raise Conflict(f"{request.ref} lapsed {ago}. {request.closed_because}".strip(), reason="lapsed")
    if last is None:
        raise Conflict(f"{request.ref} was {request.get_status_display()} {ago}.")
    raise Conflict(f"{last.by.username} {last.get_outcome_display()} {request.ref} {ago}.")


def _check_somebody_can_decide(stages: list[StageSpec], *, without: set[int]) -> None:
    """A request nobody can decide would wait for ever: refuse it now and say whom it lacks."""
    everybody: set[int] = set()
    for number, stage in enumerate(stages, start=1):
        able = {person.pk for person in people.members(stage.approvers)} - without
        everybody |= able
        if len(able) < stage.quorum or len(everybody) < sum(s.quorum for s in stages[:number]):
            named = ", ".join(subject_words(subject) for subject in stage.approvers)
            raise Refused(
                f"Too few people can decide this: step {number} needs {stage.quorum} of {named}, "
                "not counting the requester and the beneficiary. Tell a platform admin.",
                reason="no_approver",
            )


def _sent(by: User, key: str) -> AccessRequest | None:
    """The request that was made with this form before."""
    request = AccessRequest.objects.filter(requester=by, key=key).first()
    if request is not None:
        request.sent_again = True
    return request


def _insert(request: AccessRequest) -> AccessRequest:
    """`request`, inserted; or the one that the same form, sent at the same moment, has inserted (`sent_again`)."""
    request.search_text = searching.search_text(request)
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError:
        if request.key and (sent := _sent(request.requester, request.key)):
            return sent
        twin = AccessRequest.objects.filter(
            beneficiary=request.beneficiary, entitlement=request.entitlement, status=R.PENDING
        ).first()
        if twin is None:
            raise
        raise Conflict(
            f"{twin.ref} already asks for {request.entitlement.key} and is waiting for a decision.",
            reason="already_open",
        ) from None
    return request


def _copy_stages(request: AccessRequest, stages: list[StageSpec]) -> None:
    """The steps as the policy has them now; a later catalogue does not change who decides this request."""
    for number, spec in enumerate(stages, start=1):
        status = Stage.Status.OPEN if number == 1 else Stage.Status.WAITING
        stage = Stage.objects.create(request=request, number=number, quorum=spec.quorum, status=status)
        StageApprover.objects.bulk_create(
            StageApprover(stage=stage, subject=subject) for subject in _once(spec.approvers)
        )


def _once(subjects: list[str]) -> list[str]:
    """Each subject once, as it is written first."""
    return list({fold(subject): subject for subject in reversed(subjects)}.values())[::-1]


def _decide(
    request: AccessRequest, stage: Stage, by: User, outcome: str, comment: str, duration: timedelta | None
) -> None:
    try:
        with transaction.atomic():
            Decision.objects.create(
                request=request, stage=stage, by=by, outcome=outcome, comment=comment, duration=duration
            )
    except IntegrityError:
        raise Conflict(f"You have decided {request.ref} already.", reason="already_decided") from None
