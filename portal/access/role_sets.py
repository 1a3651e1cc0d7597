"""The roles that a person should have in Airflow, calculated from the live grants and the current roles."""

from __future__ import annotations

from collections.abc import Set

ADMIN = "Admin"


def target_roles(actual: Set[str], *, giving: Set[str], required: Set[str], ending: Set[str]) -> frozenset[str]:
    """The role list to set.

    actual: the current roles in Airflow. giving: the roles that this operation gives. The roles of other grants are
    given by their own operations, because Airflow refuses the complete list if one role in it does not exist (yet).
    required: the roles of all live grants of the person there. ending: the roles of ending grants. An ending role stays
    if another grant requires it. All other roles stay too.
    """
    return frozenset((set(actual) | set(giving)) - (set(ending) - set(required)))


def is_as_required(actual: Set[str], *, giving: Set[str], required: Set[str], ending: Set[str]) -> bool:
    """Whether Airflow shows all roles to give and none of the roles to remove."""
    return giving <= actual and not (actual & (ending - required))
