"""Separation of duties: access that one person must not hold together, whichever policy names the other.

`conflicts_with` holds in both directions. The catalogue in force decides; for access that it no longer offers, the
policy under which it was granted still counts for as long as it is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from accounts.models import User
from portal.access.models import AccessRequest, Grant
from portal.access.states import HELD
from portal.catalogue import airflows
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement
from portal.core.errors import Refused

G = Grant.Status


@dataclass(frozen=True)
class Access:
    """What somebody has, or has asked for, and the policy under which that was."""

    entitlement: Entitlement
    policy: str
    policy_version: int
    is_asked: bool = False


def check_not_asked_or_held(person: User, entitlement: Entitlement) -> None:
    """For a new request: refuse what conflicts with what `person` holds or has asked for.

    Raises Refused (`conflicting_access`).
    """
    asked = AccessRequest.objects.filter(beneficiary=person, closed_at=None).select_related("entitlement")
    others = [Access(row.entitlement, row.policy, row.policy_version, is_asked=True) for row in asked]
    _refuse(person, entitlement, [*others, *_held(person, HELD)])


def check_not_held(person: User, entitlement: Entitlement) -> None:
    """For an approval: refuse what conflicts with what `person` holds, or is about to.

    Raises Refused (`conflicting_access`).
    """
    _refuse(person, entitlement, _held(person, HELD))


def check_before_change(grant: Grant) -> None:
    """When a grant starts, and right before Airflow is changed: refuse what conflicts with what the person has by then.

    What starts later does not count: it is checked at its own start. Raises Refused (`conflicting_access`).
    """
    _refuse(grant.beneficiary, grant.entitlement, _held(grant.beneficiary, (G.APPLYING, G.ACTIVE, G.ENDING)))


def _held(person: User, statuses: Iterable[str]) -> list[Access]:
    rows = Grant.objects.filter(beneficiary=person, status__in=list(statuses)).select_related("entitlement")
    return [Access(row.entitlement, row.policy, row.policy_version) for row in rows]


def _refuse(person: User, entitlement: Entitlement, others: Iterable[Access]) -> None:
    """One Airflow under two names is one: `demo/role/User` of the old name is `prod/role/User` of the new one."""
    others = [other for other in others if other.entitlement.pk != entitlement.pk]
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
            has = "has asked for" if other.is_asked else "has"
            raise Refused(
                f"{person.username} {has} {other.entitlement.key}, which must not be combined with {entitlement.key}.",
                reason="conflicting_access",
            )


def _as_granted(other: Access) -> list[str]:
    """What is offered no more conflicts with what its policy named when it was asked for."""
    return catalogue.policy(other.policy, other.policy_version).conflicts_with
