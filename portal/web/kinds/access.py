"""Requests for access on the pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.http import QueryDict

from accounts.models import User
from portal.access import conflicts, permissions, queries
from portal.access.models import AccessRequest, Grant
from portal.access.states import REQUIRING
from portal.approvals import kinds
from portal.catalogue.document import PolicySpec
from portal.core import clock, durations
from portal.core.errors import why_not
from portal.operations import queries as operations
from portal.ui import words
from portal.web.kinds.base import Display
from portal.web.requests.answer_forms import TermsForm

R, G = AccessRequest.Status, Grant.Status
SOON = timedelta(minutes=5)


@dataclass(frozen=True)
class AccessFacts:
    """What an approver must know: the person's other access, who else holds it, and earlier requests."""

    longest: timedelta
    held: list[Grant]
    holds_it: Grant | None
    holders: list[User]
    earlier: list[AccessRequest]


class AccessDisplay(Display):
    name = "access"
    on_its_way = Q(grant__status__in=[G.SCHEDULED, G.APPLYING, G.FAILED])
    held = Q(grant__status__in=[G.ACTIVE, G.ENDING])
    closed = Q(grant__status=G.ENDED)

    def title(self, request: AccessRequest) -> str:
        grant = grant_of(request)
        length = durations.words(grant.duration if grant else request.span)
        return f"{request.entitlement.title} on {request.deployment.name} for {length}"

    def short_title(self, request: AccessRequest) -> str:
        return f"{request.entitlement.title} on {request.deployment.name}"

    def amount(self, request: AccessRequest) -> str:
        return durations.words(request.span)

    def state(self, request: AccessRequest) -> tuple[Any, str]:
        return grant_of(request) or request, "status"

    def standing(self, request: AccessRequest, reader: User) -> str:
        grant = grant_of(request)
        return _granted(request, grant, reader) if grant else "It is approved."

    def sent(self, request: AccessRequest) -> str:
        # the page shows the current state, so this message must be true in every state
        how = "You used emergency access (break-glass)" if request.break_glass else "Its policy needs no decision"
        return f"{request.ref} was sent. {how}. This page shows its progress in Airflow."

    def starts_at(self, request: AccessRequest) -> datetime | None:
        return request.starts_at

    def mark_words(self, request: AccessRequest) -> str:
        return "break-glass" if request.break_glass else ""

    def page(self, request: AccessRequest, reader: User) -> dict[str, Any]:
        grant = grant_of(request)
        may = {}
        if grant is not None:
            may = holding(reader, grant) | {"end": grant.status not in (G.ENDING, G.ENDED)}
        return {
            "grant": grant,
            "operations": list(operations.of_subject(grant.ref)) if grant else [],
            "may": may,
            "time_left": grant if grant and grant.status == G.ACTIVE else None,
        }

    def reload_seconds(self, request: AccessRequest) -> int:
        grant = grant_of(request)
        if grant is None:
            return 0
        if grant.status in (G.APPLYING, G.ENDING):
            return 2
        turns_at = {G.SCHEDULED: grant.starts_at, G.ACTIVE: grant.ends_at}.get(G(grant.status))
        if turns_at is None:
            return 0
        return 3 if turns_at - clock.now() < SOON else 30

    def shows(self, request: AccessRequest) -> list[str]:
        grant = grant_of(request)
        left = words.left(grant.ends_at) if grant and grant.status == G.ACTIVE and grant.ends_at else ""
        return [grant.status if grant else "", left]

    def again_form(self, request: AccessRequest, policy: PolicySpec, data: QueryDict | None = None) -> TermsForm:
        return TermsForm(data, asked=request, policy=policy, longest=request.entitlement.max_duration)

    def facts(self, request: AccessRequest, reader: User) -> AccessFacts:
        rows = queries.held_by(request.beneficiary).exclude(status=G.FAILED)
        held = [grant for grant in rows if grant.request_id != request.pk]
        held.sort(key=lambda grant: grant.entitlement.deployment_id != request.entitlement.deployment_id)
        return AccessFacts(
            longest=request.approved_span,
            held=held,
            holds_it=queries.current_grants(held).get(request.entitlement_id),
            holders=list(_other_holders(request)),
            earlier=list(_earlier(request)),
        )

    def conflict(self, request: AccessRequest) -> str:
        return why_not(conflicts.check_not_held, request.beneficiary, request.entitlement)

    def outcome(self, request: AccessRequest, asked: timedelta | None) -> str:
        person, what, given = request.beneficiary.username, kinds.of(request).label(request), request.approved_span
        less = f", instead of the requested {durations.words(asked)}" if asked and given < asked else ""
        approved = f"You approved {request.ref} for {durations.words(given)}{less}."
        grant = Grant.objects.get(request=request)
        if grant.status == G.SCHEDULED and request.starts_at:
            return f"{approved} {person} gets {what} {durations.until(request.starts_at)}."
        return f"{approved} Gatehouse is giving {person} {what}. The request's page shows the progress."


def grant_of(request: AccessRequest) -> Grant | None:
    return getattr(request, "grant", None)


def holding(user: User, grant: Grant) -> dict[str, bool]:
    """The actions on a grant that this person may take."""
    checks = {
        "hand_back": permissions.check_can_hand_back,
        "revoke": permissions.check_can_revoke,
        "retry": permissions.check_can_retry,
    }
    return {name: not why_not(check, user, grant) for name, check in checks.items()}


def _granted(request: AccessRequest, grant: Grant, reader: User) -> str:
    holds = "You hold" if reader.pk == request.beneficiary_id else f"{request.beneficiary.username} holds"
    where = request.entitlement.deployment.name
    if grant.status == G.SCHEDULED and grant.starts_at:
        return f"The access begins {words.spoken(grant.starts_at)}."
    if grant.status == G.APPLYING:
        return f"The role is being given in Airflow on {where}."
    if grant.status == G.ACTIVE and grant.left_at:
        return f"The role is missing in Airflow on {where} and is not given again. A platform admin can try again."
    if grant.status == G.ACTIVE and grant.missing_since:
        return f"Airflow on {where} no longer shows the role. The role is being given again."
    if grant.status == G.ACTIVE and grant.unusable_since:
        return f"The access cannot be used: the account is deactivated in Airflow on {where}."
    if grant.status == G.ACTIVE and grant.ends_at:
        return f"{holds} it until {words.spoken(grant.ends_at)}. Airflow on {where} shows the role."
    if grant.status == G.ENDING and not grant.end_reason:
        return f"The role could not be given. Gatehouse is undoing changes that it may have made in Airflow on {where}."
    if grant.status == G.ENDING:
        return f"The role is being taken away in Airflow on {where}."
    if grant.status == G.FAILED:
        return "The role could not be given in Airflow. A platform admin can try again."
    ended = f" {words.spoken(grant.ended_at)}" if grant.ended_at else ""
    return f"The access ended{ended}: {grant.get_end_reason_display()}."


def _other_holders(request: AccessRequest) -> QuerySet[User]:
    rows = Grant.objects.filter(entitlement=request.entitlement, status__in=REQUIRING)
    others = rows.exclude(beneficiary=request.beneficiary).values("beneficiary")
    return User.objects.filter(pk__in=others).order_by("username")


def _earlier(request: AccessRequest) -> QuerySet[AccessRequest]:
    rows = AccessRequest.objects.filter(beneficiary=request.beneficiary, entitlement=request.entitlement)
    return rows.exclude(pk=request.pk).select_related("grant").order_by("-created_at", "-pk")
