"""Separation of duties: access that one person must not hold together.

`conflicts_with` applies in both directions. The catalogue in force decides. For access that it no longer offers, the
policy under which the access was granted decides as long as it is held.
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
    """Access that a person holds or has requested, and its policy at that time."""

    entitlement: Entitlement
    policy: str
    policy_version: int
    is_requested: bool = False


def check_not_requested_or_held(person: User, entitlement: Entitlement) -> None:
    """For a new request: the entitlement must not conflict with access that `person` holds or has requested.

    Raises Refused (`conflicting_access`).
    """
    asked = AccessRequest.objects.filter(beneficiary=person, closed_at=None).select_related("entitlement")
    others = [Access(row.entitlement, row.policy, row.policy_version, is_requested=True) for row in asked]
    _refuse(person, entitlement, [*others, *_held(person, HELD)])


def check_not_held(person: User, entitlement: Entitlement) -> None:
    """For an approval: the entitlement must not conflict with access that `person` holds, including scheduled access.

    Raises Refused (`conflicting_access`).
    """
    _refuse(person, entitlement, _held(person, HELD))


def check_before_change(grant: Grant) -> None:
    """When a grant starts, and right before Airflow is changed: the grant must not conflict with the person's access.

    Scheduled grants do not count, because they are checked when they start. Raises Refused (`conflicting_access`).
    """
    _refuse(grant.beneficiary, grant.entitlement, _held(grant.beneficiary, (G.APPLYING, G.ACTIVE, G.ENDING)))


def _held(person: User, statuses: Iterable[str]) -> list[Access]:
    rows = Grant.objects.filter(beneficiary=person, status__in=list(statuses)).select_related("entitlement")
    return [Access(row.entitlement, row.policy, row.policy_version) for row in rows]


def _refuse(person: User, entitlement: Entitlement, others: Iterable[Access]) -> None:
    """Raises Refused if one of `others` conflicts. Keys are normalised: after the deployment `demo` was renamed to
    `prod`, `demo/role/User` and `prod/role/User` are equal."""
    others = [other for other in others if other.entitlement.pk != entitlement.pk]
    if not others:
        return
    # read once, not for each grant
    in_force, normalised = catalogue.policies_in_force(), airflows.spelling()
    named: dict[str, set[str]] = {}
    for key, policy in Entitlement.objects.filter(retired_at=None).values_list("key", "policy"):
        if policy in in_force:  # another version may be put in force between the two queries
            named.setdefault(normalised(key), set()).update(map(normalised, in_force[policy].conflicts_with))
    this = normalised(entitlement.key)
    for other in others:
        that = normalised(other.entitlement.key)
        names = named[that] if that in named else set(map(normalised, _conflicts_when_granted(other)))
        if that in named.get(this, ()) or this in names:
            has = "has requested" if other.is_requested else "has"
            raise Refused(
                f"{person.username} {has} {other.entitlement.key}, which must not be combined with {entitlement.key}.",
                reason="conflicting_access",
            )


def _conflicts_when_granted(other: Access) -> list[str]:
    """The conflicts of access that is no longer offered: those of its policy at the time of the request."""
    return catalogue.policy(other.policy, other.policy_version).conflicts_with
