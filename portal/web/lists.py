"""Queries of a person's own requests and access, for the lists of the pages."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from operator import or_

from django.db.models import Case, Q, QuerySet, When

from accounts.models import User
from portal.access.models import Grant
from portal.approvals.models import Request
from portal.web.kinds.base import Display
from portal.web.kinds.registry import DISPLAYS

R, G = Request.Status, Grant.Status


def _of_any_kind(part: Callable[[Display], Q]) -> Q:
    return reduce(or_, (Q(kind=name) & part(display) for name, display in DISPLAYS.items()))


ON_ITS_WAY = Q(status__in=Request.OPEN) | _of_any_kind(lambda display: display.on_its_way)
CLOSED = Q(status__in=[R.DENIED, R.WITHDRAWN, R.LAPSED]) | _of_any_kind(lambda display: display.closed)
HELD = _of_any_kind(lambda display: display.held)


def asked_by(user: User) -> QuerySet[Request]:
    """The requests that a person made, or that somebody made for them."""
    return Request.objects.filter(Q(requester=user) | Q(beneficiary=user))


def on_its_way(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Requests that are not decided yet, and approved ones whose access is not in Airflow yet."""
    return rows.filter(ON_ITS_WAY)


def returned_first(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Those that were returned for changes, then the others; the newest first."""
    return rows.order_by(Case(When(status=R.RETURNED, then=0), default=1), "-created_at", "-pk")


def is_in_airflow(grant: Grant) -> bool:
    """Whether Airflow has the access now. A scheduled, applying or failed grant is not there yet."""
    return grant.status in (G.ACTIVE, G.ENDING)


def held(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Requests whose access is in Airflow now."""
    return rows.filter(HELD)


def closed(rows: QuerySet[Request]) -> QuerySet[Request]:
    """Requests that are over: not approved, or their access has ended."""
    return rows.filter(CLOSED)


def past_of(user: User) -> QuerySet[Grant]:
    """The ended grants of a person."""
    rows = Grant.objects.filter(beneficiary=user, status=G.ENDED)
    return rows.select_related("entitlement__deployment", "request", "ended_by")
