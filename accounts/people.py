"""Look-up of people for other packages: subjects, members, names. Only this package reads Django's groups.

A subject is `group:<name>` or `user:<name>`. Names are compared folded (portal.core.text). Membership is read from the
database on every call, so a change counts at once. A page that only reads may read it once for all its rows
(`read_once`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Q, QuerySet

from accounts.models import User
from portal.core import bounds
from portal.core.errors import Missing
from portal.core.text import fold

Answer = TypeVar("Answer")
_MEMORY = "_gatehouse_read_once"


def subjects_of(user: User | AnonymousUser) -> frozenset[str]:
    """Every subject that names `user`, folded: `{"user:lead", "group:data", ...}`. Empty if they cannot sign in."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    return remembered(user, "subjects", lambda: _read_subjects(user))


def _read_subjects(user: User) -> frozenset[str]:
    return frozenset({f"user:{user.folded}", *(f"group:{fold(name)}" for name in groups_of(user))})


def groups_of(user: User) -> list[str]:
    """The names of `user`'s groups as they are spelled."""
    return list(user.groups.order_by("name").values_list("name", flat=True))


def members(subjects: Iterable[str]) -> list[User]:
    """The active people named by `subjects`, without duplicates, ordered by user name."""
    return list(named_by(subjects).order_by("username"))


def named_by(subjects: Iterable[str]) -> QuerySet[User]:
    """Like `members`, as a query that can be filtered further."""
    groups: set[str] = set()
    names: set[str] = set()
    for subject in subjects:
        kind, _, name = fold(subject).partition(":")
        (groups if kind == "group" else names).add(name)
    if not groups and not names:
        return User.objects.none()
    named = Q(folded__in=names) | _in_groups(groups)
    return User.objects.filter(named, is_active=True)


def in_group(name: str) -> Q:
    """A filter for the people in the group of that name."""
    return _in_groups({fold(name.strip())})


def _in_groups(folded: set[str]) -> Q:
    return Q(pk__in=User.groups.through.objects.filter(group__identity__folded__in=folded).values("user"))


def is_one_of(user: User | AnonymousUser, subjects: Iterable[str]) -> bool:
    """Whether one of `subjects` names `user`."""
    return not subjects_of(user).isdisjoint(map(fold, subjects))


def by_username(name: str) -> User:
    """The person of that name, compared folded. Raises Missing."""
    name = name.strip()
    known = bool(name) and len(name) <= 150 and bounds.is_storable(name)
    person = User.objects.filter(folded=fold(name)).first() if known else None
    if person is None:
        raise Missing(f"There is nobody with the user name “{name[:150]}”.", reason="unknown_person")
    return person


def as_stored(name: str) -> str:
    """The stored spelling of a user name; the text itself if nobody has that name."""
    try:
        return by_username(name).username
    except Missing:
        return name


def read_once(user: User) -> None:
    """From now on, read the subjects and roles of this object only once. For a call that changes nothing."""
    if not hasattr(user, _MEMORY):
        setattr(user, _MEMORY, {})


def remembered(user: User, name: str, read: Callable[[], Answer]) -> Answer:
    """The result of `read`; cached on `user` if `read_once` was called."""
    memory = getattr(user, _MEMORY, None)
    if memory is None:
        return read()
    if name not in memory:
        memory[name] = read()
    return memory[name]
