"""Creates groups of people. No other module does."""

from __future__ import annotations

from collections.abc import Collection

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from accounts.models import GroupName
from accounts.names import problem_of_group
from portal.core.errors import Conflict, Invalid
from portal.core.text import fold


def named(names: Collection[str]) -> list[Group]:
    """The groups of these names, compared folded. Missing groups are created.

    Raises Invalid (`groups`), Conflict.
    """
    wanted = {fold(name.strip()): name.strip() for name in names}
    rows = GroupName.objects.filter(folded__in=list(wanted)).select_related("group")
    there = {row.folded: row.group for row in rows}
    missing = sorted(name for folded, name in wanted.items() if folded not in there)
    return [*there.values(), *map(_make, missing)]


def _make(name: str) -> Group:
    if said := problem_of_group(name):
        raise Invalid({"groups": said})
    try:
        with transaction.atomic():
            group = Group.objects.create(name=name)
            GroupName.objects.create(group=group)
    except IntegrityError:
        raise Conflict(f"The group {name} was added at the same moment by another admin.") from None
    return group
