"""Putting people into the portal: the one writer of accounts and of group membership besides directory sign-in."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts.models import User
from accounts.operator import Operator
from portal.audit.record import SYSTEM, Trail, recording
from portal.audit.verbs import Verb
from portal.errors import Conflict, Invalid


@dataclass(frozen=True)
class Enrolled:
    """What `enrol` did. `password` is the one it made up, to be shown once; empty when none was."""

    user: User
    created: bool
    changed: tuple[str, ...]
    groups: tuple[str, ...]
    password: str = ""


def enrol(
    *,
    by: User | Operator,
    username: str,
    email: str | None = None,
    name: str | None = None,
    groups: Collection[str] | None = None,
    password: str | None = None,
) -> Enrolled:
    """Make sure that there is a person `username` with these details; None leaves a detail as it is.

    groups: the groups they are in afterwards, no others; groups that do not exist yet are made.
    password: for a new person, None makes one up. A new password ends the person's sessions.
    Raises Invalid by field, Conflict when the same person is added twice at the same moment.
    """
    with recording() as trail:
        user = User.objects.select_for_update().filter(username__iexact=username.strip()).first()
        created = user is None
        user = user or User(username=username.strip())
        made_up = secrets.token_urlsafe(15) if created and password is None else ""
        password = made_up or password
        changed = _set_details(user, email=email, name=name)
        if password is not None and _set_password(user, password):
            changed.append("password")
        if created:
            _insert(user)
            trail.add(Verb.PERSON_ADDED, by=by, target=user.username, detail={"email": user.email, "name": user.name})
        elif changed:
            user.save(update_fields=["email", "first_name", "last_name", "password"])
            trail.add(Verb.PERSON_CHANGED, by=by, target=user.username, detail={"changed": list(changed)})
        if groups is not None and _set_groups(user, groups, by, trail):
            changed.append("groups")
        now = tuple(user.groups.order_by("name").values_list("name", flat=True))
    return Enrolled(user, created, tuple(changed), now, made_up)


def _set_details(user: User, *, email: str | None, name: str | None) -> list[str]:
    """Raises Invalid. An e-mail address belongs to one person: accounts in Airflow are found by it."""
    wrong, changed = {}, []
    if user._state.adding:
        if user.username.casefold() == SYSTEM:
            wrong["username"] = f"“{SYSTEM}” is how the trail calls the portal itself; choose another name."
        try:
            User.username_validator(user.username)
            User._meta.get_field("username").run_validators(user.username)
        except ValidationError as error:
            wrong["username"] = f"“{user.username[:60]}” cannot be a user name: {' '.join(error.messages)}"
    if email is not None and email != user.email:
        try:
            validate_email(email)
        except ValidationError:
            wrong["email"] = f"“{email[:100]}” is not an e-mail address."
        if (other := User.objects.filter(email__iexact=email).exclude(pk=user.pk).first()) is not None:
            wrong["email"] = f"{email} is the e-mail address of {other.username}; two people cannot share one."
        user.email = email
        changed.append("email")
    if name is not None and name.strip() != user.get_full_name():
        first, _, last = name.strip().partition(" ")
        user.first_name, user.last_name = first, last.strip()
        if len(first) > 150 or len(last) > 150 or not name.isprintable():
            wrong["name"] = "A name has at most 150 printable characters on either side of its first space."
        changed.append("name")
    if wrong:
        raise Invalid(wrong)
    return changed


def _set_password(user: User, password: str) -> bool:
    """Whether it is another one than before: setting the same again would end the person's sessions for nothing."""
    if user.pk is not None and user.check_password(password):
        return False
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid({"password": " ".join(error.messages)}) from None
    user.set_password(password)
    return True


def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"{user.username} was added by somebody else at the same moment.") from None


def _set_groups(user: User, names: Collection[str], by: User | Operator, trail: Trail) -> bool:
    wanted = {name.strip() for name in names}
    if bad := [name for name in wanted if not name or len(name) > 150 or not name.isprintable()]:
        raise Invalid({"groups": f"“{bad[0][:60]}” cannot be a group's name: it takes 1 to 150 printable characters."})
    before = set(user.groups.values_list("name", flat=True))
    if wanted == before:
        return False
    user.groups.set([Group.objects.get_or_create(name=name)[0] for name in sorted(wanted)])
    trail.add(
        Verb.GROUPS_CHANGED,
        by=by,
        target=user.username,
        detail={"before": sorted(before), "after": sorted(wanted)},
    )
    return True
