"""Queries of a person's own requests and access, for the lists of the pages."""

from __future__ import annotations

from django.db.models import Case, Q, QuerySet, When

from accounts.models import User
from portal.access import queries
from portal.access.models import AccessRequest, Grant

R, G = AccessRequest.Status, Grant.Status
ON_ITS_WAY = Q(status__in=AccessRequest.OPEN) | Q(grant__status__in=[G.SCHEDULED, G.APPLYING, G.FAILED])
CLOSED = Q(status__in=[R.DENIED, R.WITHDRAWN, R.LAPSED]) | Q(grant__status=G.ENDED)
HELD = Q(grant__status__in=[G.ACTIVE, G.ENDING])


def asked_by(user: User) -> QuerySet[AccessRequest]:
    """The requests that a person made, or that somebody made for them."""
    return queries.requests_visible_to(user).filter(Q(requester=user) | Q(beneficiary=user))


def on_its_way(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests that are not decided yet, and approved ones whose access is not in Airflow yet."""
    return rows.filter(ON_ITS_WAY)


def returned_first(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Those that were returned for changes, then the others; the newest first."""
    return rows.order_by(Case(When(status=R.RETURNED, then=0), default=1), "-created_at", "-pk")


def is_in_airflow(grant: Grant) -> bool:
    """Whether Airflow has the access now. A scheduled, applying or failed grant is not there yet."""
    return grant.status in (G.ACTIVE, G.ENDING)


def held(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests whose access is in Airflow now."""
    return rows.filter(HELD)


def closed(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests that are over: not approved, or their access has ended."""
    return rows.filter(CLOSED)


def past_of(user: User) -> QuerySet[Grant]:
    """The ended grants of a person."""
    rows = Grant.objects.filter(beneficiary=user, status=G.ENDED)
    return rows.select_related("entitlement__deployment", "request", "ended_by")
