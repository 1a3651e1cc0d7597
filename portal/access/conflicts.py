"""Separation of duties: access that one person must not hold together, whichever policy names the other.

`conflicts_with` holds in both directions. The catalogue in force decides; for access that it no longer offers, the
policy under which it was granted still counts for as long as it is held.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.db.models import Q, QuerySet

from accounts.models import User
from portal.access.models import AccessRequest, Grant
from portal.access.states import LIVE
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec
from portal.catalogue.models import Entitlement
from portal.errors import Refused

G = Grant.Status


def check_not_asked_or_held(person: User, entitlement: Entitlement) -> None:
    """For a new request: refuse what conflicts with what `person` holds or has asked for.

    Raises Refused (`conflicting_access`).
    """
    open_or_held = Q(status=AccessRequest.Status.PENDING) | Q(grant__status__in=LIVE)
    _refuse(person, entitlement, _asked(person).filter(open_or_held))


def check_not_held(person: User, entitlement: Entitlement) -> None:
    """For an approval: refuse what conflicts with what `person` holds, or is about to.

    Raises Refused (`conflicting_access`).
    """
    _refuse(person, entitlement, _asked(person).filter(grant__status__in=LIVE))


def check_before_change(grant: Grant) -> None:
    """When a grant starts, and right before Airflow is changed: refuse what conflicts with what the person has by then.

    What starts later does not count: it is checked at its own start. Raises Refused (`conflicting_access`).
    """
    there = _asked(grant.beneficiary).filter(grant__status__in=(G.APPLYING, G.ACTIVE, G.ENDING))
    _refuse(grant.beneficiary, grant.entitlement, there)


def _refuse(person: User, entitlement: Entitlement, others: Iterable[AccessRequest]) -> None:
    """others: what was asked for, or what the grants held come from."""
    others = [other for other in others if other.entitlement_id != entitlement.pk]
    in_force = catalogue.policies_in_force() if others else {}  # read once, however much the person holds
    against = _named_by(entitlement, in_force)
    for other in others:
        if other.entitlement.key in against or entitlement.key in _named_by(other.entitlement, in_force, other):
            has = "has asked for" if other.status == AccessRequest.Status.PENDING else "has"
            raise Refused(
                f"{person.username} {has} {other.entitlement.key}, which must not be combined with {entitlement.key}.",
                reason="conflicting_access",
            )


def _named_by(
    entitlement: Entitlement, in_force: Mapping[str, PolicySpec], request: AccessRequest | None = None
) -> list[str]:
    """The keys that its policy names in the catalogue in force; where it is offered no more, those of its request."""
    if entitlement.retired_at is None:
        return in_force[entitlement.policy].conflicts_with if entitlement.policy in in_force else []
    return catalogue.policy(request.policy, request.policy_version).conflicts_with if request else []


def _asked(person: User) -> QuerySet[AccessRequest]:
    return AccessRequest.objects.filter(beneficiary=person).select_related("entitlement")
