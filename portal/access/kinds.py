"""The request kind of access, for portal.approvals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from accounts import people
from accounts.models import User
from portal.access import conflicts, entry, grants, timeline
from portal.access.grant_changes import given_detail
from portal.access.models import AccessRequest
from portal.access.permissions import check_can_receive
from portal.approvals.kinds import Kind
from portal.approvals.steps import Step
from portal.audit.compare import NOT_RECORDED, Columns, LedgerEvent
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations


def recorded_start(recorded: LedgerEvent) -> Any:
    """The start in an event, in UTC. Earlier releases recorded it in the time zone of the requester."""
    start = recorded.value("starts_at")
    return start if start is NOT_RECORDED else clock.iso_or_empty(datetime.fromisoformat(start) if start else None)


class AccessKind(Kind):
    name = "access"
    model = AccessRequest
    related = ("requester", "beneficiary", "withdrawn_by", "deployment", "entitlement__deployment")
    shown_with = ("grant__ended_by",)
    terms = {
        "entitlement": lambda row: row.entitlement.key,
        "starts_at": lambda row: clock.iso_or_empty(row.starts_at),
        "break_glass": lambda row: row.break_glass,
    }
    related_terms = ("entitlement",)
    result = "grant"

    def label(self, request: AccessRequest) -> str:
        return f"“{request.entitlement.title}” on {request.deployment.name}"

    def sentence(self, request: AccessRequest) -> str:
        verb = "asks" if request.closed_at is None else "asked"
        whom = "" if request.requester_id == request.beneficiary_id else f" on behalf of {request.beneficiary.username}"
        length = durations.words(request.span)
        return f"{request.requester.username} {verb} for {self.label(request)} for {length}{whom}"

    def event_detail(self, request: AccessRequest) -> Mapping[str, Any]:
        return {"entitlement": request.entitlement.key}

    def recorded_columns(self, recorded: LedgerEvent) -> Columns:
        detail = recorded.detail
        return {
            "about": detail["entitlement"],
            "entitlement": detail["entitlement"],
            "starts_at": recorded_start(recorded),
            "break_glass": detail["break_glass"],
        }

    def policy(self, request: AccessRequest) -> PolicySpec:
        return catalogue.policy(request.entitlement.policy)

    def search_texts(self, request: AccessRequest) -> list[str]:
        return [request.entitlement.key, request.entitlement.title]

    def entry_problems(self, request: AccessRequest, policy: PolicySpec) -> dict[str, str]:
        """The start was checked in the first round. A start in the past means: at once."""
        return entry.problems(
            request.entitlement,
            policy,
            duration=request.span,
            reason=request.reason,
            ticket=request.ticket,
            starts_at=None,
        )

    def check_again(self, request: AccessRequest, *, by: User) -> None:
        """The rules in force decide who may hold the access."""
        check_can_receive(request.beneficiary, request.entitlement, self.policy(request), speaks_to=by)
        conflicts.check_not_held(request.beneficiary, request.entitlement)

    def approved(self, request: AccessRequest, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        """Creates the grant. The event names it, because verifying the trail needs an event for each grant."""
        assert duration is not None
        grant = grants.create(request, duration=duration, trail=trail)
        event["about"].append(grant.ref)
        event["detail"] |= {
            "grant": grant.ref,
            "beneficiary": grant.beneficiary.username,
            "duration": durations.iso(grant.duration),
            "starts_at": clock.iso_or_empty(grant.starts_at),
            **given_detail(grant),
        }

    def at_once_words(self, request: AccessRequest) -> tuple[str, str]:
        title, note = super().at_once_words(request)
        return "Granted at once by break-glass" if request.break_glass else title, note

    def steps(self, request: AccessRequest) -> list[Step]:
        return timeline.steps(request)

    def outdated(self, request: AccessRequest) -> str:
        entitlement = request.entitlement
        if entitlement.retired_at is not None or entitlement.deployment.retired_at is not None:
            return f"{entitlement.key} is no longer offered."
        for person in (request.requester, request.beneficiary):
            if not people.is_one_of(person, self.policy(request).may_request):
                return f"{person.username} may no longer request {entitlement.key}."
        if request.duration is not None and request.duration > entitlement.max_duration:
            return f"{entitlement.key} is now granted for at most {durations.words(entitlement.max_duration)}."
        return ""


ACCESS = AccessKind()
