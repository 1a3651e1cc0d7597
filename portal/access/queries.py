"""Reading grants and what can be requested, with the permission to see them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import OuterRef, Q, QuerySet

from accounts.credentials import sees_everybody
from accounts.models import User
from portal.access.models import AccessRequest, Grant
from portal.access.permissions import check_can_receive
from portal.access.states import LIVE
from portal.approvals import principals
from portal.approvals.principals import Deciders
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Deployment, Entitlement
from portal.core import refs
from portal.core.errors import Missing, Refused
from portal.core.text import contains_words, search_words

BY_PRIORITY = (Grant.Status.ENDING, Grant.Status.SCHEDULED, Grant.Status.APPLYING, Grant.Status.ACTIVE)


def grants_visible_to(user: User) -> QuerySet[Grant]:
    """The user's own grants and those of requests where the user is an approver, newest first. People who may see all
    access see all grants."""
    rows = Grant.objects.select_related("entitlement__deployment", "beneficiary", "request", "ended_by")
    if sees_everybody(user):
        return rows
    return rows.filter(
        Q(beneficiary=user) | Q(request__requester=user) | principals.approver_filter(user, OuterRef("request"))
    )


def grant_for(user: User, pk: int) -> Grant:
    """Raises Missing for what does not exist and for what `user` may not see, with the same words."""
    grant = grants_visible_to(user).filter(pk=pk).first()
    if grant is None:
        raise refs.not_found(refs.GRANT, pk)
    return grant


def held_by(user: User) -> QuerySet[Grant]:
    """The grants of a person that are held, scheduled or failed; those that end first come first."""
    rows = Grant.objects.filter(beneficiary=user, status__in=LIVE).select_related(
        "entitlement__deployment", "beneficiary", "request", "ended_by"
    )
    return rows.order_by("ends_at", "pk")


def current_grants(grants: Iterable[Grant]) -> dict[int, Grant]:
    """By entitlement, the active grant; if there is none, one that is applying, scheduled or ending. Failed grants give
    nothing, so they do not count.
    """
    found = sorted(
        (grant for grant in grants if grant.status in BY_PRIORITY), key=lambda grant: BY_PRIORITY.index(grant.status)
    )
    return {grant.entitlement_id: grant for grant in found}


def ended_early(user: User) -> QuerySet[Grant]:
    """The grants that ended early for another reason than a hand-back and that the holder has not marked as read.
    Latest first."""
    quiet = (Grant.EndReason.EXPIRED, Grant.EndReason.HANDED_BACK, "")
    rows = Grant.objects.filter(beneficiary=user, end_read_at=None).exclude(end_reason__in=quiet)
    return rows.select_related("entitlement__deployment", "request", "ended_by").order_by("-pk")


def differing(deployments: Iterable[Deployment] | None = None) -> QuerySet[Grant]:
    """The grants that differ from Airflow and that are left to admins, newest first."""
    live = Q(status=Grant.Status.ACTIVE) & (Q(left_at__isnull=False) | Q(unusable_since__isnull=False))
    over = Q(status__in=[Grant.Status.ENDED, Grant.Status.FAILED], back_since__isnull=False)
    rows = Grant.objects.filter(live | over).select_related("entitlement__deployment", "beneficiary", "request")
    return rows if deployments is None else rows.filter(deployment__in=list(deployments))


@dataclass(frozen=True)
class Option:
    """One entitlement with everything that a person should know before requesting it."""

    entitlement: Entitlement
    policy: PolicySpec
    requestable: bool
    why_not: str = ""
    reason: str = ""  # the stable word for `why_not`
    approvers: list[list[User]] = field(default_factory=list)  # by stage
    held: Grant | None = None
    open_request: AccessRequest | None = None


def options_for(user: User, *, q: str = "", deployment: str = "") -> list[Option]:
    """All offered entitlements in the order of the catalogue, each with whether `user` may request it and, if not, why.
    Raises Invalid (`q`)."""
    rows: Iterable[Entitlement] = catalogue.entitlements_in_force().select_related("deployment")
    if deployment:
        rows = [row for row in rows if row.deployment.name == deployment]
    words = search_words(q)
    rows = [row for row in rows if contains_words(_searchable(row), words)]
    held = current_grants(held_by(user))
    asked = {
        request.entitlement_id: request for request in AccessRequest.objects.filter(beneficiary=user, closed_at=None)
    }
    policies, deciders = catalogue.policies_in_force(), Deciders()
    found = []
    for row in rows:
        found.append(_option(user, row, policies[row.policy], held.get(row.pk), asked.get(row.pk), deciders))
    return found


def _option(
    user: User,
    entitlement: Entitlement,
    policy: PolicySpec,
    held: Grant | None,
    asked: AccessRequest | None,
    deciders: Deciders,
) -> Option:
    why_not = reason = ""
    try:
        check_can_receive(user, entitlement, policy, speaks_to=user)
    except Refused as refusal:
        why_not, reason = refusal.detail, refusal.reason
    if not why_not and asked is not None:
        why_not, reason = f"You have already requested this: {asked.ref} {asked.waits}.", "already_open"
    approvers = [deciders.named_by(stage.approvers, without={user.pk}) for stage in policy.stages]
    return Option(entitlement, policy, not why_not, why_not, reason, approvers, held, asked)


def option_for(user: User, key: str) -> Option:
    """The option for the entitlement with this key. Raises Missing if it is not offered."""
    for option in options_for(user):
        if option.entitlement.key == key:
            return option
    raise Missing(f"There is no access “{key[:100]}” in the catalogue.")


def _searchable(entitlement: Entitlement) -> str:
    what = (entitlement.key, entitlement.title, entitlement.description, entitlement.role, entitlement.level)
    return "\n".join(what)
