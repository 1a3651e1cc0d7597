"""Which roles of the portal a person has: one query of RoleAssignment. Django's superuser flag has no effect."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import CharField, Q, Value
from django.db.models.functions import Concat

from accounts import people
from accounts.models import RoleAssignment, User
from accounts.permissions import MATRIX, Permission, Role
from portal.core.text import fold


def roles_of(user: User | AnonymousUser) -> frozenset[Role]:
    """Everybody who can sign in is an employee. A person who cannot sign in has no role."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    return people.remembered(user, "roles", lambda: _read_roles(user))


def _read_roles(user: User) -> frozenset[Role]:
    groups = user.groups.annotate(subject=Concat(Value("group:"), "identity__folded", output_field=CharField())).values(
        "subject"
    )
    rows = RoleAssignment.objects.filter(Q(subject=f"user:{user.folded}") | Q(subject__in=groups))
    return frozenset({Role.EMPLOYEE, *(Role(name) for name in rows.values_list("role", flat=True))})


def has(user: User | AnonymousUser, permission: Permission) -> bool:
    """Whether one of the person's roles includes `permission`."""
    return permission in permissions_of(user)


def permissions_of(user: User | AnonymousUser) -> frozenset[Permission]:
    """All permissions of the person's roles."""
    return frozenset().union(*(MATRIX[role] for role in roles_of(user)))


def assign(rows: set[tuple[Role, str]]) -> None:
    """Replace the table's content by `rows` of (role, subject). The caller has the transaction and records why."""
    rows = {(role, fold(subject)) for role, subject in rows}
    with transaction.atomic():
        there = {(Role(row.role), row.subject): row.pk for row in RoleAssignment.objects.all()}
        RoleAssignment.objects.filter(pk__in=[pk for row, pk in there.items() if row not in rows]).delete()
        missing = sorted(rows - there.keys())
        RoleAssignment.objects.bulk_create(RoleAssignment(role=role, subject=subject) for role, subject in missing)
