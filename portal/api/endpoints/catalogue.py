"""The entitlements in the catalogue, and the state of the deployments."""

from __future__ import annotations

from ninja import Query, Router

from portal.access import queries
from portal.airflow import states
from portal.api import present
from portal.api.auth import ApiRequest, Bearer
from portal.api.paging import Page, PageParams, by_name
from portal.api.shapes import DeploymentOut, EntitlementOut

router = Router(tags=["catalogue"])


class EntitlementParams(PageParams):
    deployment: str = ""
    q: str = ""


@router.get("/deployments", auth=Bearer("read"), response=Page[DeploymentOut], summary="Deployments and their state")
def list_deployments(request: ApiRequest, params: Query[PageParams]) -> Page[DeploymentOut]:
    rows, following = by_name(list(states.listed()), params, "deployments", lambda row: row.name)
    return Page(items=[present.deployment(row) for row in rows], next=following)


@router.get("/entitlements", auth=Bearer("read"), response=Page[EntitlementOut], summary="What you can request")
def list_entitlements(request: ApiRequest, params: Query[EntitlementParams]) -> Page[EntitlementOut]:
    found = queries.options_for(request.auth.user, q=params.q, deployment=params.deployment)
    options, following = by_name(found, params, "entitlements", lambda option: option.entitlement.key)
    return Page(items=[present.entitlement(option) for option in options], next=following)
