"""Requests for access, as approvals handles them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts import people
from accounts.models import User
from portal.access import conflicts, entry, grants
from portal.access.grant_changes import given
from portal.access.models import AccessRequest
from portal.access.permissions import check_can_receive
from portal.approvals.kinds import Kind
from portal.audit.compare import NOT_RECORDED, Columns, LedgerEvent
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations


def said_start(told: LedgerEvent) -> Any:
    """The start that an event says, in UTC. Earlier releases wrote it in the zone of the person who asked."""
    said = told.said("starts_at")
    return said if said is NOT_RECORDED else clock.iso_or_empty(datetime.fromisoformat(said) if said else None)


class AccessKind(Kind):
    name = "access"
    model = AccessRequest
    related = ("requester", "beneficiary", "withdrawn_by", "deployment", "entitlement__deployment")
    terms = {
        "entitlement": lambda row: row.entitlement.key,
        "starts_at": lambda row: clock.iso_or_empty(row.starts_at),
        "break_glass": lambda row: row.break_glass,
    }
    related_terms = ("entitlement",)
    not_granting = {"grant": None}

    def what(self, request: AccessRequest) -> str:
        return f"“{request.entitlement.title}” on {request.deployment.name}"

    def names(self, request: AccessRequest) -> Mapping[str, Any]:
        return {"entitlement": request.entitlement.key}

    def said(self, told: LedgerEvent) -> Columns:
        detail = told.detail
        return {
            "about": detail["entitlement"],
            "entitlement": detail["entitlement"],
            "starts_at": said_start(told),
            "break_glass": detail["break_glass"],
        }

    def policy(self, request: AccessRequest) -> PolicySpec:
        return catalogue.policy(request.entitlement.policy)

    def searched(self, request: AccessRequest) -> list[str]:
        return [request.entitlement.key, request.entitlement.title]

    def entry_problems(self, request: AccessRequest, policy: PolicySpec) -> dict[str, str]:
        """The start was checked when it was asked for; one that has passed means at once."""
        return entry.problems(
            request.entitlement,
            policy,
            duration=request.span,
            reason=request.reason,
            ticket=request.ticket,
            starts_at=None,
        )

    def check_again(self, request: AccessRequest, *, by: User) -> None:
        """The rules in force say who may hold it."""
        check_can_receive(request.beneficiary, request.entitlement, self.policy(request), speaks_to=by)
        conflicts.check_not_held(request.beneficiary, request.entitlement)

    def approved(self, request: AccessRequest, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        """The event names the grant: no grant is right without such an event."""
        assert duration is not None
        grant = grants.create(request, duration=duration, trail=trail)
        event["about"].append(grant.ref)
        event["detail"] |= {
            "grant": grant.ref,
            "beneficiary": grant.beneficiary.username,
            "duration": durations.iso(grant.duration),
            "starts_at": clock.iso_or_empty(grant.starts_at),
            **given(grant),
        }

    def outdated(self, request: AccessRequest) -> str:
        entitlement = request.entitlement
        if entitlement.retired_at is not None or entitlement.deployment.retired_at is not None:
            return f"{entitlement.key} is no longer offered."
        for person in (request.requester, request.beneficiary):
            if not people.is_one_of(person, self.policy(request).may_request):
                return f"{person.username} may no longer ask for {entitlement.key}."
        if request.duration is not None and request.duration > entitlement.max_duration:
            return f"{entitlement.key} is now given for at most {durations.words(entitlement.max_duration)}."
        return ""


ACCESS = AccessKind()
