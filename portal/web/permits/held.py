"""The rows of a person's permits, for the pages that list what they hold."""

from __future__ import annotations

from dataclasses import dataclass

from accounts.models import User
from portal.catalogue.models import Dag
from portal.dags.models import Permit
from portal.dags.permissions import in_force
from portal.dags.permits import permits


@dataclass(frozen=True)
class PermitRow:
    """dag: under the present name of its deployment; None if it is no longer in the catalogue. why_not: in words, why
    the permit cannot be used now; empty if it can."""

    permit: Permit
    dag: Dag | None
    why_not: str


def permit_rows(holder: User) -> list[PermitRow]:
    """The permits that have not ended; those that end first come first."""
    return [PermitRow(permit, in_force(permit.dag), permits.why_unusable(permit)) for permit in permits.active(holder)]
