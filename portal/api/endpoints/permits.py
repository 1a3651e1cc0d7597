"""Permits to run a DAG within bounds."""

from __future__ import annotations

from typing import Literal

from ninja import Query, Router
from pydantic import Field

from portal.api import present_requests
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_creation
from portal.api.parsing import Body
from portal.api.shapes_requests import PermitOut
from portal.core import refs
from portal.dags.permits import permits

router = Router(tags=["permits"])


class PermitParams(PageParams):
    status: Literal["active", "used_up", "expired", "revoked"] | None = None


class RevokePermitIn(Body):
    reason: str = Field("", description="required, except from the holder")


@router.get("/permits", auth=Bearer("read"), response=Page[PermitOut], summary="Permits that you may see")
def list_permits(request: ApiRequest, params: Query[PermitParams]) -> Page[PermitOut]:
    """Newest first. Ask for a permit with `POST /requests`."""
    rows = permits.visible_to(request.auth.user)
    if params.status:
        rows = rows.filter(status=params.status)
    found, following = by_creation(rows, params, "permits")
    return Page(items=[present_requests.permit(row) for row in found], next=following)


@router.post("/permits/{id}/revoke", auth=Bearer("decide", "request"), response=PermitOut, summary="End a permit early")
def revoke_permit(request: ApiRequest, id: str, body: RevokePermitIn) -> PermitOut:
    user = request.auth.user
    row = permits.permit_for(user, refs.parse(refs.PERMIT, id))
    permits.revoke(permit_id=row.pk, by=user, reason=body.reason)
    return present_requests.permit(permits.permit_for(user, row.pk))
