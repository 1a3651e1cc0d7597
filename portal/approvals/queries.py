"""Requests of any kind as people and programs may read them."""

from __future__ import annotations

from typing import TypeVar

from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import people
from accounts.credentials import sees_everybody
from accounts.models import User
from portal.approvals import principals
from portal.approvals.models import Decision, Request, Waiting
from portal.core import clock, refs

Row = TypeVar("Row", bound=Request)
COUNTED = 99  # the navigation counts no further: "99+"


def visible_to(user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
    """Of `rows`: one's own, those one is named to decide (in any stage), or all for who may see all access."""
    if sees_everybody(user):
        return rows
    return rows.filter(Q(requester=user) | Q(beneficiary=user) | principals.names(user, OuterRef("pk")))


def check_visible(user: User, pk: int) -> Request:
    """Raises Missing for what does not exist and for what `user` may not see, with the same words."""
    request = visible_to(user, Request.objects.all()).filter(pk=pk).first()
    if request is None:
        raise refs.not_found(refs.REQUEST, pk)
    return request


def decidable_by(user: User) -> QuerySet[Request]:
    """The queue: what waits for this person's decision, the longest waiting first; never their own."""
    rows = Request.objects.filter(pk__in=_waiting_for(user).values("request"))
    return rows.order_by("created_at", "pk")


def count_for(user: User) -> int:
    """How many requests wait for this person, counted up to COUNTED + 1."""
    found = _waiting_for(user).order_by().values("request").distinct()
    return found[: COUNTED + 1].count()


def _waiting_for(user: User) -> QuerySet[Waiting]:
    decided = Decision.objects.filter(request=OuterRef("request"), round=OuterRef("request__round"), by=user)
    rows = Waiting.objects.filter(principal__in=people.subjects_of(user), lapses_at__gt=clock.now())
    return rows.exclude(Q(request__requester=user) | Q(request__beneficiary=user)).filter(~Exists(decided))
