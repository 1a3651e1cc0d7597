"""Checks that a person may still hold a grant, when it starts and right before Airflow is changed."""

from __future__ import annotations

from accounts.models import User
from portal.access import conflicts
from portal.access.models import Grant
from portal.access.permissions import check_eligible, check_offered
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Entitlement


def check_may_hold(grant: Grant) -> None:
    """The beneficiary is active and eligible, the entitlement is offered, and no other access conflicts with it.

    Person, groups, entitlement and catalogue are read from the database again.
    Raises Refused: `inactive`, `not_offered`, `not_eligible`, `conflicting_access`.
    """
    person = User.objects.get(pk=grant.beneficiary_id)
    entitlement = Entitlement.objects.select_related("deployment").get(pk=grant.entitlement_id)
    check_offered(entitlement)
    check_eligible(person, catalogue.policy(entitlement.policy))
    conflicts.check_before_change(grant)
