"""Requesting access. Decisions on requests are in `portal.approvals.actions`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from accounts.acting import acting
from accounts.models import User
from portal.access import at_once, conflicts, entry
from portal.access.kinds import ACCESS
from portal.access.models import AccessRequest
from portal.access.permissions import check_can_receive
from portal.approvals import opening, principals
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement
from portal.core import clock, once
from portal.core.errors import Invalid, Refused
from portal.core.text_checks import clean_text


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
    """Request `entitlement` for `beneficiary` (default: `by`). If the policy has no steps, the request is approved at
    once.

    key: of the form. The same key and content from the same person return the first request, with `sent_again` set. The
    same key with other content makes another request.
    Raises Invalid (by field), Refused (`not_eligible`, `not_offered`, `conflicting_access`, `no_approver`,
    `only_for_oneself`), Conflict (`already_open`).
    """
    starts_at = starts_at.astimezone(UTC) if starts_at else None  # the form that events use
    about = [beneficiary.pk] if beneficiary else []
    with acting(by, refusal=Verb.REQUEST_SUBMIT_REFUSED, target=entitlement.key, about=about) as (trail, by):
        beneficiary = User.objects.get(pk=beneficiary.pk) if beneficiary else by
        entitlement = Entitlement.objects.select_related("deployment").get(pk=entitlement.pk)
        key = once.bind(
            key,
            entitlement=entitlement.key,
            beneficiary=beneficiary.pk,
            duration=duration,
            reason=reason,
            ticket=ticket,
            starts_at=starts_at,
        )
        sent = opening.sent_before(by, key)
        if isinstance(sent, AccessRequest):
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
        conflicts.check_not_requested_or_held(beneficiary, entitlement)
        if policy.stages:
            principals.check_enough(policy.stages, without={by.pk, beneficiary.pk})
        else:
            at_once.check(by, beneficiary, entitlement, duration)
        now = clock.now()
        request = AccessRequest(
            kind=ACCESS.name,
            requester=by,
            beneficiary=beneficiary,
            about=entitlement.key,
            deployment=entitlement.deployment,
            risk=entitlement.risk,
            entitlement=entitlement,
            duration=duration,
            reason=clean_text("reason", reason),
            ticket=clean_text("ticket", ticket),
            starts_at=starts_at if starts_at and starts_at > now and not policy.break_glass else None,
            policy=entitlement.policy,
            policy_version=version.number,
            break_glass=policy.break_glass,
            lapses_at=now + policy.pending_for,
        )
        marked = {"marked": "break-glass"} if policy.break_glass else {}  # to find it in the audit trail
        request = opening.open_request(
            request,
            key=key,
            stages=policy.stages,
            trail=trail,
            break_glass=policy.break_glass,
            starts_at=clock.iso_or_empty(request.starts_at),
            **marked,
        )
        if not policy.stages and not request.sent_again:
            opening.grant_at_once(request, trail=trail, break_glass=policy.break_glass, **marked)
    return request
