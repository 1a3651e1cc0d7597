"""Who may do what in the portal. The permission matrix is the table at the end of this file."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing a person may do. Each action also checks whether the state of the request allows it."""

    HOME = "home"  # see one's own home, access, requests and profile
    REQUEST = "request"  # ask for access, withdraw a request, hand access back
    OPERATE = "operate"  # see and operate the DAGs that the catalogue offers to the person
    DECIDE = "decide"  # see the queue and decide where a policy names the person
    AUDIT = "audit"  # read, export and verify the trail
    SEE_ALL_ACCESS = "see_all_access"  # read everybody's requests and grants
    REVOKE_ANY = "revoke_any"  # end anybody's grant
    REPAIR = "repair"  # retry or close what failed
    SEE_DEPLOYMENTS = "see_deployments"


class Role(StrEnum):
    """A role of the portal. Not an Airflow role."""

    EMPLOYEE = "employee"
    APPROVER = "approver"
    AUDITOR = "auditor"
    ADMIN = "admin"


_EMPLOYEE = frozenset({Permission.HOME, Permission.REQUEST, Permission.OPERATE})

MATRIX: dict[Role, frozenset[Permission]] = {
    Role.EMPLOYEE: _EMPLOYEE,
    Role.APPROVER: _EMPLOYEE | {Permission.DECIDE},
    Role.AUDITOR: _EMPLOYEE | {Permission.AUDIT, Permission.SEE_ALL_ACCESS, Permission.SEE_DEPLOYMENTS},
    Role.ADMIN: _EMPLOYEE
    | {
        Permission.AUDIT,
        Permission.SEE_ALL_ACCESS,
        Permission.REVOKE_ANY,
        Permission.REPAIR,
        Permission.SEE_DEPLOYMENTS,
    },
}
