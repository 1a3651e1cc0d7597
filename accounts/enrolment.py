"""Adds people and changes their details and groups. Apart from directory sign-in, no other module writes these."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts import passwords, people
from accounts.acting import acting
from accounts.groups import named
from accounts.models import User
from accounts.names import problem_of_person
from accounts.operator import Operator
from portal.audit.record import Trail
from portal.audit.verbs import Verb
from portal.core.errors import Conflict, Invalid
from portal.core.text import fold


@dataclass(frozen=True)
class Enrolled:
    """What `enrol` did. `password`: the generated password, to be shown once; empty if none was generated."""

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
    """Create the person `username`, or update their details. None leaves a detail unchanged.

    groups: the person's groups after the call, all of them. Missing groups are created.
    password: None generates one for a new person. A new password ends the person's sessions and tokens.
    Raises Invalid by field, Conflict if the same person is added twice at the same moment.
    """
    username = username.strip()
    about = User.objects.filter(folded=fold(username)).values_list("pk", flat=True)
    with acting(by, refusal=Verb.PERSON_CHANGE_REFUSED, target=username[:150], about=about) as (trail, by):
        user = User.objects.filter(folded=fold(username)).first()
        if user is not None and user.username != username:
            raise Invalid(
                {"username": f"“{username}” is the same name as “{user.username}”, which already exists. Write it so."}
            )
        created = user is None
        user = user or User(username=username)
        made_up = secrets.token_urlsafe(15) if created and password is None else ""
        changed = _set_details(user, email=email, name=name)
        if created:
            passwords.set_password(user, made_up or password or "")
            _insert(user)
            trail.add(Verb.PERSON_ADDED, by=by, target=user.username, detail={"email": user.email, "name": user.name})
            changed += [] if made_up else ["password"]
        elif changed:
            user.save(update_fields=["email", "first_name", "last_name"])
            trail.add(Verb.PERSON_CHANGED, by=by, target=user.username, detail={"changed": list(changed)})
        if not created and password is not None and not user.check_password(password):
            passwords.set_password(user, password)
            passwords.save_password(user, by=by, trail=trail)
            changed.append("password")
        if groups is not None and _set_groups(user, groups, by, trail):
            changed.append("groups")
    return Enrolled(user, created, tuple(changed), tuple(people.groups_of(user)), made_up)


def change_groups(
    *, by: User | Operator, username: str, add: Collection[str] = (), remove: Collection[str] = (), none: bool = False
) -> tuple[list[str], list[str]]:
    """Add a person to groups and remove them from others. `none`: remove all. Returns the names before and after.

    Raises Missing, and Invalid (`groups`) if the person is not in a group that is to be removed.
    """
    about = User.objects.filter(folded=fold(username.strip())).values_list("pk", flat=True)
    with acting(by, refusal=Verb.PERSON_CHANGE_REFUSED, target=username[:150], about=about) as (trail, by):
        user = people.by_username(username)
        before = people.groups_of(user)
        theirs = {fold(name): name for name in before}
        if missing := [name for name in remove if fold(name.strip()) not in theirs]:
            raise Invalid({"groups": f"{user.username} is not in the group “{missing[0][:60]}”."})
        kept = {} if none else theirs
        gone = {fold(name.strip()) for name in remove}
        _set_groups(user, [*(name for key, name in kept.items() if key not in gone), *add], by, trail)
        return before, people.groups_of(user)


def _set_details(user: User, *, email: str | None, name: str | None) -> list[str]:
    """Raises Invalid. An e-mail address belongs to one person, because it identifies their account in Airflow."""
    wrong, changed = {}, []
    if user._state.adding and (said := problem_of_person(user.username)):
        wrong["username"] = said
    if email is not None and email != user.email:
        try:
            validate_email(email)
        except ValidationError:
            wrong["email"] = f"“{email[:100]}” is not an e-mail address."
        if (other := User.objects.filter(email_folded=fold(email)).exclude(pk=user.pk).first()) is not None:
            wrong["email"] = f"{email} is the e-mail address of {other.username}; two people cannot share one."
        user.email = email
        changed.append("email")
    if name is not None and name.strip() != user.get_full_name():
        first, _, last = name.strip().partition(" ")
        user.first_name, user.last_name = first, last.strip()
        if len(first) > 150 or len(last) > 150 or not name.isprintable():
            wrong["name"] = "The parts before and after the first space have at most 150 printable characters each."
        changed.append("name")
    if wrong:
        raise Invalid(wrong)
    return changed


def _insert(user: User) -> None:
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise Conflict(f"{user.username} was added at the same moment by another admin.") from None


def _set_groups(user: User, names: Collection[str], by: User | Operator, trail: Trail) -> bool:
    """Raises Invalid (`groups`), Conflict."""
    before, wanted = people.groups_of(user), named(names)
    after = sorted(group.name for group in wanted)
    if set(after) == set(before):  # as sets: the database may sort names in another order
        return False
    user.groups.set(wanted)
    trail.add(Verb.GROUPS_CHANGED, by=by, target=user.username, detail={"before": before, "after": after})
    return True
