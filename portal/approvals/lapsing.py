"""Requests that end without a decision: nobody decided in time, the offer changed, somebody left.

An open request is decided by the stages of the policy version it was made under. It lapses when a catalogue is put in
force under which it could not be made as it was: its kind finds it outdated (`Kind.outdated`), its ticket does not fit,
or the decision takes more stages or more approvals.
"""

from __future__ import annotations

from django.db.models import Q

from accounts.models import User
from portal.approvals import changes, kinds, tickets
from portal.approvals.models import Request
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, due

R = Request.Status
NOT_IN_TIME = "It was not decided in time."
NOT_SENT_AGAIN = "It was returned for changes and not sent again in time."


def lapse_due() -> int:
    """End the requests that stayed open for as long as their policy allows; how many."""
    late = Request.objects.filter(closed_at=None, lapses_at__lte=clock.now())
    return due.each(late.order_by("lapses_at", "pk").values_list("pk", flat=True)[:200], _not_in_time)


def _not_in_time(request_id: int) -> None:
    """A decision, a return or a resubmission made at this very moment stands."""
    with recording() as trail:
        request = changes.locked(request_id)
        if request.closed_at is None and request.lapses_at <= clock.now():
            because = NOT_SENT_AGAIN if request.status == R.RETURNED else NOT_IN_TIME
            _close(request, because=because, by=None, trail=trail)


def lapse_outdated(trail: Trail) -> None:
    """End the open requests that the catalogue now in force would not let be made. Inside its transaction."""
    for request in kinds.specific(Request.objects.filter(closed_at=None).order_by("pk")):
        if because := outdated(request):
            _lapse(request.pk, because=because, by=None, trail=trail)


def of(person: User) -> list[Request]:
    """The open requests that a person made, or that are for them."""
    theirs = Request.objects.filter(Q(requester=person) | Q(beneficiary=person), closed_at=None)
    return list(theirs.order_by("pk"))


def lapse_of(person: User, *, by: Actor | None, trail: Trail) -> list[str]:
    """End the open requests of a person who left. Inside the caller's transaction."""
    because = f"{person.username} can no longer sign in."
    return [request.ref for request in of(person) if _lapse(request.pk, because=because, by=by, trail=trail)]


def lapse_of_leavers() -> int:
    """End the open requests of people who cannot sign in any more, however that came about; of how many."""
    pending = Request.objects.filter(closed_at=None)  # not joined: that would pair made with received ones
    concerned = Q(pk__in=pending.values("requester")) | Q(pk__in=pending.values("beneficiary"))
    gone = User.objects.filter(concerned, is_active=False)
    return due.each(gone.order_by("pk").values_list("pk", flat=True)[:50], _left)


def _left(person_id: int) -> None:
    with recording() as trail:
        lapse_of(User.objects.get(pk=person_id), by=None, trail=trail)


def outdated(request: Request) -> str:
    """Why an open request could not be made today as it was; empty when it could."""
    kind = kinds.of(request)
    if because := kind.outdated(request):
        return because
    now = kind.policy(request)
    if tickets.problem(request.ticket, now):
        return f"{request.about} now needs another ticket."
    if _takes_more(catalogue.policy(request.policy, request.policy_version), now):
        return f"{request.about} now needs more approvals than when it was asked for."
    return ""


def _takes_more(before: PolicySpec, now: PolicySpec) -> bool:
    if len(now.stages) > len(before.stages):
        return True
    return any(new.quorum > old.quorum for old, new in zip(before.stages, now.stages, strict=False))


def _lapse(request_id: int, *, because: str, by: Actor | None, trail: Trail) -> bool:
    request = changes.locked(request_id)
    if request.closed_at is not None:
        return False
    _close(request, because=because, by=by, trail=trail)
    return True


def _close(request: Request, *, because: str, by: Actor | None, trail: Trail) -> None:
    changes.close(request, R.LAPSED, because=because)
    changes.record(trail, Verb.REQUEST_LAPSED, by, request, why=because)
