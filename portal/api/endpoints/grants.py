"""Grants: who has which access, now or at a given time; handing back and revoking."""

from __future__ import annotations

from typing import Literal

from django.db.models import Q
from ninja import Query, Router

from portal.access import grants as actions
from portal.access import queries
from portal.api import present_requests
from portal.api.auth import ApiRequest, Bearer, need_scope
from portal.api.paging import Page, PageParams, by_creation
from portal.api.parsing import Body, Moment
from portal.api.shapes_requests import GrantOut
from portal.core import refs
from portal.core.text import fold

router = Router(tags=["grants"])


class GrantParams(PageParams):
    beneficiary: str = ""
    entitlement: str = ""
    status: Literal["scheduled", "applying", "active", "ending", "ended", "failed"] | None = None
    at: Moment | None = None


class RevokeIn(Body):
    reason: str = ""


@router.get("/grants", auth=Bearer("read", "audit"), response=Page[GrantOut], summary="Who has which access")
def list_grants(request: ApiRequest, params: Query[GrantParams]) -> Page[GrantOut]:
    """Your own grants and those of requests that you decide; with the scope `audit`, all grants.

    `at`: only grants that were active in Airflow at that time.
    """
    rows = queries.grants_visible_to(request.auth.user)
    if params.beneficiary:
        rows = rows.filter(beneficiary__folded=fold(params.beneficiary))
    if params.entitlement:
        rows = rows.filter(entitlement__key=params.entitlement)
    if params.status:
        rows = rows.filter(status=params.status)
    if params.at:
        rows = rows.filter(verified_at__lte=params.at).filter(Q(ended_at=None) | Q(ended_at__gt=params.at))
    found, following = by_creation(rows, params, "grants")
    return Page(items=present_requests.grants(found), next=following)


@router.get("/grants/{id}", auth=Bearer("read", "audit"), response=GrantOut, summary="One grant")
def read_grant(request: ApiRequest, id: str) -> GrantOut:
    return present_requests.grant(queries.grant_for(request.auth.user, refs.parse(refs.GRANT, id)))


@router.post(
    "/grants/{id}/revoke", auth=Bearer("decide", "request"), response=GrantOut, summary="End a grant before its time"
)
def revoke_grant(request: ApiRequest, id: str, body: RevokeIn) -> GrantOut:
    """Your own grant is handed back (scope `request`). Another person's is revoked, with a reason (scope `decide`)."""
    by = request.auth.user
    row = queries.grant_for(by, refs.parse(refs.GRANT, id))
    own = row.beneficiary_id == by.pk
    need_scope(request, request.auth, "request" if own else "decide")
    if own:
        actions.hand_back(grant_id=row.pk, by=by)
    else:
        actions.revoke(grant_id=row.pk, by=by, reason=body.reason)
    return present_requests.grant(queries.grant_for(by, row.pk))
