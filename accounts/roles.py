"""Which roles of the portal a person has. Read from RoleAssignment in one query; superuser flags play no part."""

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
    """Everybody who can sign in is an employee; who cannot has no role at all."""
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
    """Whether one of the person's roles carries `permission`."""
    return permission in permissions_of(user)


def permissions_of(user: User | AnonymousUser) -> frozenset[Permission]:
    """All that the person's roles carry."""
    return frozenset().union(*(MATRIX[role] for role in roles_of(user)))


def assign(rows: set[tuple[Role, str]]) -> None:
    """Make the table hold exactly `rows` of (role, subject), inside the caller's transaction, which records why."""
    rows = {(role, fold(subject)) for role, subject in rows}
    with transaction.atomic():
        there = {(Role(row.role), row.subject): row.pk for row in RoleAssignment.objects.all()}
        RoleAssignment.objects.filter(pk__in=[pk for row, pk in there.items() if row not in rows]).delete()
        missing = sorted(rows - there.keys())
        RoleAssignment.objects.bulk_create(RoleAssignment(role=role, subject=subject) for role, subject in missing)
