"""The reader's own requests and holdings, as the lists of the pages need them."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from accounts.models import User
from portal.access import queries
from portal.access.models import AccessRequest, Grant

R, G = AccessRequest.Status, Grant.Status
ON_ITS_WAY = Q(status__in=AccessRequest.OPEN) | Q(grant__status__in=[G.SCHEDULED, G.APPLYING, G.FAILED])
CLOSED = Q(status__in=[R.DENIED, R.WITHDRAWN, R.LAPSED]) | Q(grant__status=G.ENDED)
HELD = Q(grant__status__in=[G.ACTIVE, G.ENDING])


def asked_by(user: User) -> QuerySet[AccessRequest]:
    """What a person asked for, or somebody asked for them."""
    return queries.requests_visible_to(user).filter(Q(requester=user) | Q(beneficiary=user))


def on_its_way(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests that are not decided yet, or decided and not yet in Airflow."""
    return rows.filter(ON_ITS_WAY)


def is_in_airflow(grant: Grant) -> bool:
    """Whether the access is there now; the other live ones are still, or again, on their way."""
    return grant.status in (G.ACTIVE, G.ENDING)


def held(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests whose access is there now."""
    return rows.filter(HELD)


def closed(rows: QuerySet[AccessRequest]) -> QuerySet[AccessRequest]:
    """Requests from which nothing more will come: not approved, or given and ended."""
    return rows.filter(CLOSED)


def past_of(user: User) -> QuerySet[Grant]:
    """What a person held once, whichever way it ended."""
    rows = Grant.objects.filter(beneficiary=user, status=G.ENDED)
    return rows.select_related("entitlement__deployment", "request", "ended_by")
