"""The two kinds of credential, which each action checks again: a browser's session and a program's token."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.utils.crypto import constant_time_compare

from accounts import roles, tokens
from accounts.acting import credential
from accounts.models import Token, User
from accounts.permissions import Permission
from portal.core import clock
from portal.core.errors import Refused


@dataclass(frozen=True)
class SignedIn:
    """A session that was checked for `permission`."""

    key: str
    permission: Permission

    def check(self, person: User) -> None:
        """Raises Refused (`session_ended`, `not_permitted`)."""
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.key).load()
        theirs = session.get(SESSION_KEY) == str(person.pk)
        if not theirs or not _of_this_password(session.get(HASH_SESSION_KEY, ""), person):
            raise Refused("Your session has ended. Nothing was done. Sign in again.", reason="session_ended")
        if not roles.has(person, self.permission):
            said = "You no longer have the role that this action needs. Nothing was done."
            raise Refused(said, reason="not_permitted")


def _of_this_password(held: str, person: User) -> bool:
    """Whether a session was opened with the person's present password. Earlier secret keys are accepted too."""
    valid = [person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()]
    return any(constant_time_compare(held, one) for one in valid)


@dataclass(frozen=True)
class ByToken:
    """A token that was checked for one of `scopes` (an empty `scopes`: for any scope). `holds`: all scopes it has."""

    token_id: int
    scopes: tuple[str, ...]
    holds: frozenset[str]

    def check(self, person: User) -> None:
        """Raises Refused (`token_ended`, `scope`)."""
        token = Token.objects.filter(pk=self.token_id, user=person, revoked_at=None, expires_at__gt=clock.now()).first()
        if token is None:
            raise Refused("The token has expired or was revoked. Nothing was done.", reason="token_ended")
        token.user = person
        if self.scopes and tokens.scopes_in_force(token).isdisjoint(self.scopes):
            needed = " or ".join(self.scopes)
            raise Refused(f"The token no longer has the scope {needed}. Nothing was done.", reason="scope")


def sees_everybody(user: User | AnonymousUser) -> bool:
    """Whether `user` may see everybody's requests, grants, runs and operations.

    This is the only rule for that: the user's role permits it and, if the call uses a token, the token has the scope
    `audit`.
    """
    held = credential.get()
    if isinstance(held, ByToken) and "audit" not in held.holds:
        return False
    return roles.has(user, Permission.SEE_ALL_ACCESS)
