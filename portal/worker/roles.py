"""Which roles a person should have in Airflow: what live grants require against what Airflow has."""

from __future__ import annotations

from collections.abc import Set

ADMIN = "Admin"


def wanted(actual: Set[str], *, required: Set[str], ending: Set[str]) -> frozenset[str]:
    """The role list to set.

    actual: the roles Airflow shows now. required: those of the person's live grants there. ending: those of grants
    that are being taken away. A role that ends but is still required by another grant stays, as every other role does.
    """
    return frozenset((set(actual) | set(required)) - (set(ending) - set(required)))


def in_line(actual: Set[str], *, required: Set[str], ending: Set[str]) -> bool:
    """Whether Airflow shows what the grants ask for."""
    return required <= actual and not (actual & (ending - required))
