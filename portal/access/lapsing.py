"""Requests that end without a decision: nobody decided in time, the offer changed, somebody left.

A pending request is decided by the steps of the policy version it was made under. It lapses when a catalogue is put in
force under which it could not be made as it was: what it asks for is no longer offered, those who asked may no longer
ask for it, it lasts longer than allowed, its ticket does not fit, or the decision takes more steps or more approvals.
"""

from __future__ import annotations

from django.db.models import Q

from accounts import people
from accounts.models import User
from portal.access import changes, due, tickets
from portal.access.models import AccessRequest
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations

R = AccessRequest.Status
NOT_IN_TIME = "It was not decided in time."


def lapse_due() -> int:
    """End the requests that stayed pending for as long as their policy allows; how many."""
    late = AccessRequest.objects.filter(status=R.PENDING, lapses_at__lte=clock.now())
    return due.each(late.order_by("lapses_at", "pk").values_list("pk", flat=True)[:200], _not_in_time)


def _not_in_time(request_id: int) -> None:
    """Leaves alone what was decided at this very moment: that decision stands."""
    with recording() as trail:
        _lapse(request_id, because=NOT_IN_TIME, by=None, trail=trail)


def lapse_outdated(trail: Trail) -> None:
    """End the pending requests that the catalogue now in force would not let be made. Inside its transaction."""
    waiting = AccessRequest.objects.filter(status=R.PENDING).select_related(
        "requester", "beneficiary", "entitlement__deployment"
    )
    for request in waiting.order_by("pk"):
        if because := outdated(request):
            _lapse(request.pk, because=because, by=None, trail=trail)


def lapse_of(person: User, *, by: Actor | None, trail: Trail) -> list[str]:
    """End the pending requests that a person who left made, or that are for them. Inside the caller's transaction."""
    theirs = AccessRequest.objects.filter(Q(requester=person) | Q(beneficiary=person), status=R.PENDING)
    because = f"{person.username} can no longer sign in."
    return [request.ref for request in theirs.order_by("pk") if _lapse(request.pk, because=because, by=by, trail=trail)]


def lapse_of_leavers() -> int:
    """End the pending requests of people who cannot sign in any more, however that came about; of how many."""
    pending = AccessRequest.objects.filter(status=R.PENDING)  # not joined: that would pair made with received ones
    concerned = Q(pk__in=pending.values("requester")) | Q(pk__in=pending.values("beneficiary"))
    gone = User.objects.filter(concerned, is_active=False)
    return due.each(gone.order_by("pk").values_list("pk", flat=True)[:50], _left)


def _left(person_id: int) -> None:
    with recording() as trail:
        lapse_of(User.objects.get(pk=person_id), by=None, trail=trail)


def outdated(request: AccessRequest) -> str:
    """Why a pending request could not be made today as it was; empty when it could."""
    entitlement = request.entitlement
    if entitlement.retired_at is not None or entitlement.deployment.retired_at is not None:
        return f"{entitlement.key} is no longer offered."
    now = catalogue.policy(entitlement.policy)
    for person in (request.requester, request.beneficiary):
        if not people.is_one_of(person, now.may_request):
            return f"{person.username} may no longer ask for {entitlement.key}."
    if request.duration > entitlement.max_duration:
        return f"{entitlement.key} is now given for at most {durations.words(entitlement.max_duration)}."
    if tickets.problem(request.ticket, now):
        return f"{entitlement.key} now needs another ticket."
    if _takes_more(catalogue.policy(request.policy, request.policy_version), now):
        return f"{entitlement.key} now needs more approvals than when it was asked for."
    return ""


def _takes_more(before: PolicySpec, now: PolicySpec) -> bool:
    if len(now.stages) > len(before.stages):
        return True
    return any(new.quorum > old.quorum for old, new in zip(before.stages, now.stages, strict=False))


def _lapse(request_id: int, *, because: str, by: Actor | None, trail: Trail) -> bool:
    request = changes.locked(request_id)
    if request.status != R.PENDING:
        return False
    changes.close(request, R.LAPSED, because=because)
    changes.record(trail, Verb.REQUEST_LAPSED, by, request, why=because)
    return True
