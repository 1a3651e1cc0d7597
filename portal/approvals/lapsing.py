"""Requests that end without a decision: it was not decided in time, the catalogue changed, or a person left.

The stages of an open request come from the policy version under which it was made. When another catalogue is put in
force, a request lapses if the new catalogue would not allow it: its kind finds it outdated (`Kind.outdated`), its
ticket does not match, or its policy now has more stages or needs more approvals.
"""

from __future__ import annotations

from django.db.models import Q

from accounts.models import User
from portal.approvals import changes, kinds, tickets
from portal.approvals.models import Request
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.catalogue.document import PolicySpec
from portal.core import clock, due

R = Request.Status
NOT_IN_TIME = "It was not decided in time."
NOT_SENT_AGAIN = "It was returned for changes and not sent again in time."


def lapse_due() -> int:
    """Close the open requests whose time is over. Returns their number."""
    late = Request.objects.filter(closed_at=None, lapses_at__lte=clock.now())
    return due.each(late.order_by("lapses_at", "pk").values_list("pk", flat=True)[:200], _lapse_late)


def _lapse_late(request_id: int) -> None:
    """The row is read again, locked. A decision, a return or a resubmission that was made in the meantime counts."""
    with recording() as trail:
        request = changes.locked(request_id)
        if request.closed_at is None and request.lapses_at <= clock.now():
            because = NOT_SENT_AGAIN if request.status == R.RETURNED else NOT_IN_TIME
            _close(request, because=because, by=None, trail=trail)


def lapse_outdated(trail: Trail) -> None:
    """Close the open requests that the new catalogue would not allow. Inside the transaction that puts it in force."""
    for request in kinds.specific(Request.objects.filter(closed_at=None).order_by("pk")):
        if because := outdated(request):
            _lapse(request.pk, because=because, by=None, trail=trail)


def open_requests_of(person: User) -> list[Request]:
    """The open requests that a person made, and those for that person."""
    theirs = Request.objects.filter(Q(requester=person) | Q(beneficiary=person), closed_at=None)
    return list(theirs.order_by("pk"))


def lapse_of(person: User, *, by: Actor | None, trail: Trail) -> list[str]:
    """Close the open requests of a person who left. Inside the caller's transaction. Returns their references."""
    because = f"{person.username} can no longer sign in."
    return [
        request.ref for request in open_requests_of(person) if _lapse(request.pk, because=because, by=by, trail=trail)
    ]


def lapse_of_leavers() -> int:
    """Close the open requests of all deactivated people. Returns the number of people."""
    pending = Request.objects.filter(
        closed_at=None
    )  # no join, because it would combine every made with every received request
    concerned = Q(pk__in=pending.values("requester")) | Q(pk__in=pending.values("beneficiary"))
    gone = User.objects.filter(concerned, is_active=False)
    return due.each(gone.order_by("pk").values_list("pk", flat=True)[:50], _lapse_for_leaver)


def _lapse_for_leaver(person_id: int) -> None:
    with recording() as trail:
        lapse_of(User.objects.get(pk=person_id), by=None, trail=trail)


def outdated(request: Request) -> str:
    """In words, why the rules in force would not allow an open request; empty if they would."""
    kind = kinds.of(request)
    if because := kind.outdated(request):
        return because
    now = kind.policy(request)
    if tickets.problem(request.ticket, now):
        return f"{request.about} now needs another ticket."
    if _needs_more_approvals(kind.made_under(request), now):
        return f"{request.about} now needs more approvals than when it was asked for."
    return ""


def _needs_more_approvals(before: PolicySpec, now: PolicySpec) -> bool:
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
