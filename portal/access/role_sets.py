"""Which roles a person should have in Airflow: what live grants require, compared with what Airflow has."""

from __future__ import annotations

from collections.abc import Set

ADMIN = "Admin"


def wanted(actual: Set[str], *, giving: Set[str], required: Set[str], ending: Set[str]) -> frozenset[str]:
    """The role list to set.

    actual: the roles Airflow shows now. giving: those this operation is to give; another grant's role is left to that
    grant's own operation, because Airflow refuses the whole list for one role it does not have (yet).
    required: those of all live grants of the person there. ending: those of grants that are being taken away.
    A role that ends but is still required by another grant stays, as every other role does.
    """
    return frozenset((set(actual) | set(giving)) - (set(ending) - set(required)))


def in_line(actual: Set[str], *, giving: Set[str], required: Set[str], ending: Set[str]) -> bool:
    """Whether Airflow shows what was to be given and no longer what was to be taken away."""
    return giving <= actual and not (actual & (ending - required))
