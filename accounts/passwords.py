"""Passwords: confirmed again, changed by their owner, reset by an operator. A new password ends sessions and tokens.

Hashing takes a good part of a second, so a typed password is checked before the transaction. Inside the transaction,
`check_still` verifies that the stored password is still the same.
"""

from __future__ import annotations

import secrets

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db.models import F

from accounts import people
from accounts.acting import acting
from accounts.limits import Limit
from accounts.models import Token, User
from accounts.operator import Operator
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.core import clock, refs
from portal.core.errors import Conflict, Invalid, Refused
from portal.core.text import fold

GUESSES = Limit("password-again", 5, 300)


def confirm(person: User, password: str, *, field: str = "password", refusal: Verb, target: str) -> str:
    """Check that the signed-in person knows their password. Returns a proof for `check_still`.

    Raises Invalid (`field`), Refused (`too_many_attempts`). Both are recorded as `refusal`.
    """
    known = User.objects.get(pk=person.pk)
    with recording(refusal=refusal, by=person, target=target):
        if GUESSES.reached(person.pk):
            raise Refused("Too many wrong passwords. Wait five minutes, then try again.", reason="too_many_attempts")
    if known.check_password(password):
        GUESSES.take_back(person.pk)
        return known.password
    said = "Enter your password." if not password else "The password is wrong."
    with recording(refusal=refusal, by=person, target=target):
        raise Invalid({field: said}, reason="wrong_password")


def check_still(person: User, proof: str) -> None:
    """Raise Conflict if the password was changed since `confirm`. Call this inside the action's transaction."""
    if person.password != proof:
        raise Conflict("The password was changed at the same moment. Nothing was done.", reason="stale")


def change(*, by: User, current: str, new: str) -> tuple[User, list[Token]]:
    """Change one's own password. The present session stays (the view renews it). All other sessions and all tokens end.

    Returns the person as saved here, and the tokens that ended. The view must renew the session for exactly this
    object: if it read the person again, somebody else could have changed the password in between.
    Raises Invalid (`current`, `new`), Conflict.
    """
    proof = confirm(by, current, field="current", refusal=Verb.PASSWORD_CHANGE_REFUSED, target=by.username)
    with acting(by, refusal=Verb.PASSWORD_CHANGE_REFUSED, target=by.username) as (trail, now):
        check_still(now, proof)
        if current == new:
            raise Invalid({"new": "This is your current password. Choose another one."})
        set_password(now, new, field="new")
        return now, save_password(now, by=now, trail=trail)


def reset(*, by: Operator, username: str, password: str | None = None) -> tuple[User, str, list[Token]]:
    """Set a person's password to the given one, or to a generated one. Their sessions and tokens end.

    Returns the person, the generated password (or ""), and the tokens that ended. Raises Missing, Invalid (`password`).
    """
    made_up = "" if password is not None else secrets.token_urlsafe(15)
    about = User.objects.filter(folded=fold(username.strip())).values_list("pk", flat=True)
    with acting(by, refusal=Verb.PASSWORD_CHANGE_REFUSED, target=username[:150], about=about) as (trail, by):
        person = people.by_username(username)
        set_password(person, made_up or password or "")
        ended = save_password(person, by=by, trail=trail)
    return person, made_up, ended


def set_password(person: User, password: str, *, field: str = "password") -> None:
    """Set the password on the object without saving. Raises Invalid (`field`) if it is too weak."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise Invalid({field: " ".join(error.messages)}) from None
    person.set_password(password)


def save_password(person: User, *, by: Actor, trail: Trail) -> list[Token]:
    """Save the new password and end all sessions and tokens. Call this inside the action's transaction."""
    person.save(update_fields=["password"])
    ended = end_sessions_and_tokens(person, by=by, trail=trail)
    detail = {"tokens_ended": [str(token) for token in ended]}
    trail.add(Verb.PASSWORD_CHANGED, by=by, target=person.username, detail=detail)
    return ended


def end_sessions_and_tokens(person: User, *, by: Actor, trail: Trail) -> list[Token]:
    """End all sessions and tokens. Returns the tokens that were valid. Call this inside the action's transaction."""
    now = clock.now()
    User.objects.filter(pk=person.pk).update(sessions_ended=F("sessions_ended") + 1)
    person.refresh_from_db(fields=["sessions_ended"])
    tokens = list(Token.objects.filter(user=person, revoked_at=None, expires_at__gt=now).order_by("pk"))
    Token.objects.filter(pk__in=[token.pk for token in tokens]).update(revoked_at=now)
    for token in tokens:
        trail.add(
            Verb.TOKEN_REVOKED,
            by=by,
            on_behalf_of=None if by == person else person,
            target=str(token),
            about=[refs.person(person.username)],
            detail={"owner": person.username, "name": token.name},
        )
    return tokens
