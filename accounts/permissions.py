"""What can be done in the portal, by whom: the whole permission matrix is the one table at the end of this file."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    """One thing a person may do. Whether the state of a request allows it is each action's own question."""

    HOME = "home"  # see one's own home, access, requests and profile
    REQUEST = "request"  # ask for access, withdraw, hand back
    OPERATE = "operate"  # see and operate the DAGs one may operate
    DECIDE = "decide"  # see the queue and decide what one is named for
    AUDIT = "audit"  # read, export and verify the trail
    SEE_ALL_ACCESS = "see_all_access"  # read everybody's requests and grants
    REVOKE_ANY = "revoke_any"  # end anybody's grant
    REPAIR = "repair"  # retry or close what failed
    SEE_DEPLOYMENTS = "see_deployments"


class Role(StrEnum):
    """A role of the portal (never to be confused with an Airflow role)."""

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
