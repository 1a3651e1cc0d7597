"""Separation of duties: access that one person must not hold together, whichever policy names the other.

`conflicts_with` holds in both directions. The catalogue in force decides; for access that it no longer offers, the
policy under which it was granted still counts for as long as it is held.
"""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from accounts.models import User
from portal.access.models import AccessRequest, Grant
from portal.access.states import HELD
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement
from portal.core.errors import Refused

G = Grant.Status


def check_not_asked_or_held(person: User, entitlement: Entitlement) -> None:
    """For a new request: refuse what conflicts with what `person` holds or has asked for.

    Raises Refused (`conflicting_access`).
    """
    open_or_held = Q(status=AccessRequest.Status.PENDING) | Q(grant__status__in=HELD)
    _refuse(person, entitlement, _asked(person).filter(open_or_held))


def check_not_held(person: User, entitlement: Entitlement) -> None:
    """For an approval: refuse what conflicts with what `person` holds, or is about to.

    Raises Refused (`conflicting_access`).
    """
    _refuse(person, entitlement, _asked(person).filter(grant__status__in=HELD))


def check_before_change(grant: Grant) -> None:
    """When a grant starts, and right before Airflow is changed: refuse what conflicts with what the person has by then.

    What starts later does not count: it is checked at its own start. Raises Refused (`conflicting_access`).
    """
    there = _asked(grant.beneficiary).filter(grant__status__in=(G.APPLYING, G.ACTIVE, G.ENDING))
    _refuse(grant.beneficiary, grant.entitlement, there)


def _refuse(person: User, entitlement: Entitlement, others: Iterable[AccessRequest]) -> None:
    """others: what was asked for, or what the grants held come from.

    One Airflow under two names is one: `demo/role/User` of the old name is `prod/role/User` of the new one.
    """
    others = [other for other in others if other.entitlement_id != entitlement.pk]
    if not others:
        return
    # read once, however much the person holds
    in_force, spelled = catalogue.policies_in_force(), airflows.spelling()
    named: dict[str, set[str]] = {}
    for key, policy in Entitlement.objects.filter(retired_at=None).values_list("key", "policy"):
        if policy in in_force:  # another version may be put in force between the two questions
            named.setdefault(spelled(key), set()).update(map(spelled, in_force[policy].conflicts_with))
    this = spelled(entitlement.key)
    for other in others:
        that = spelled(other.entitlement.key)
        names = named[that] if that in named else set(map(spelled, _as_granted(other)))
        if that in named.get(this, ()) or this in names:
            has = "has asked for" if other.status == AccessRequest.Status.PENDING else "has"
            raise Refused(
                f"{person.username} {has} {other.entitlement.key}, which must not be combined with {entitlement.key}.",
                reason="conflicting_access",
            )


def _as_granted(request: AccessRequest) -> list[str]:
    """What is offered no more conflicts with what its policy named when it was asked for."""
    return catalogue.policy(request.policy, request.policy_version).conflicts_with


def _asked(person: User) -> QuerySet[AccessRequest]:
    return AccessRequest.objects.filter(beneficiary=person).select_related("entitlement")
