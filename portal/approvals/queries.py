"""Reading requests of any kind, with the permission to see them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet, prefetch_related_objects

from accounts import people
from accounts.credentials import sees_everybody
from accounts.models import User
from portal.approvals import kinds, principals
from portal.approvals.models import Comment, Decision, Request, Stage, Waiting
from portal.core import clock, refs

Row = TypeVar("Row", bound=Request)
COUNTED = 99  # for a higher number the navigation shows "99+"


def visible_to(user: User, rows: QuerySet[Row]) -> QuerySet[Row]:
    """The part of `rows` that `user` may see: their own requests and those where they are an approver of any stage.
    People who may see all access see all rows."""
    if sees_everybody(user):
        return rows
    return rows.filter(Q(requester=user) | Q(beneficiary=user) | principals.approver_filter(user, OuterRef("pk")))


def check_visible(user: User, pk: int) -> Request:
    """The request. Raises Missing, with the same message if it does not exist and if `user` may not see it."""
    request = visible_to(user, Request.objects.all()).filter(pk=pk).first()
    if request is None:
        raise refs.not_found(refs.REQUEST, pk)
    return request


def full(rows: Iterable[Request]) -> list[Any]:
    """The same requests, in the same order, as rows of their kinds, with all relations that a list or a page shows.

    They are prefetched instead of joined: with nine or more joins, PostgreSQL reads all rows to get one page.
    """
    found = kinds.specific(rows)
    prefetch_related_objects(
        found,
        Prefetch("stages", Stage.objects.order_by("round", "number").prefetch_related("approvers")),
        Prefetch("decisions", Decision.objects.select_related("by")),
        Prefetch("comments", Comment.objects.select_related("by")),
        "resubmissions",
    )
    for kind in {row.kind: kinds.of(row) for row in found}.values():
        prefetch_related_objects([row for row in found if row.kind == kind.name], *kind.shown_with)
    return found


def request_for(user: User, pk: int) -> Any:
    """The request, as `full` returns it. Raises Missing as `check_visible` does."""
    return full([check_visible(user, pk)])[0]


def decidable_by(user: User) -> QuerySet[Request]:
    """The queue: requests that wait for this person's decision, oldest first, without their own."""
    rows = Request.objects.filter(pk__in=_waiting_for(user).values("request"))
    return rows.order_by("created_at", "pk")


def count_for(user: User) -> int:
    """The number of requests that wait for this person, counted up to COUNTED + 1."""
    found = _waiting_for(user).order_by().values("request").distinct()
    return found[: COUNTED + 1].count()


def _waiting_for(user: User) -> QuerySet[Waiting]:
    decided = Decision.objects.filter(request=OuterRef("request"), round=OuterRef("request__round"), by=user)
    rows = Waiting.objects.filter(principal__in=people.subjects_of(user), lapses_at__gt=clock.now())
    return rows.exclude(Q(request__requester=user) | Q(request__beneficiary=user)).filter(~Exists(decided))
