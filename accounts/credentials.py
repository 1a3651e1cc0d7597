"""By what people are let in, checked again by each action: the session of a browser, the token of a program."""

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
    """A session, let in for `permission`."""

    key: str
    permission: Permission

    def check(self, person: User) -> None:
        """Raises Refused (`session_ended`, `not_permitted`)."""
        session = import_module(settings.SESSION_ENGINE).SessionStore(self.key).load()
        theirs = session.get(SESSION_KEY) == str(person.pk)
        if not theirs or not _of_this_password(session.get(HASH_SESSION_KEY, ""), person):
            raise Refused("Your session has ended. Nothing was done. Sign in again.", reason="session_ended")
        if not roles.has(person, self.permission):
            raise Refused("You no longer have the role that this needs. Nothing was done.", reason="not_permitted")


def _of_this_password(held: str, person: User) -> bool:
    """Whether a session was opened with the password that the person has now; also under an earlier secret key."""
    valid = [person.get_session_auth_hash(), *person.get_session_auth_fallback_hash()]
    return any(constant_time_compare(held, one) for one in valid)


@dataclass(frozen=True)
class ByToken:
    """A token, let in for one of `scopes` (for anything, where none is named). `holds`: what it may do at all."""

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

    The one rule: their role says so, and through a token its scope `audit` as well.
    """
    held = credential.get()
    if isinstance(held, ByToken) and "audit" not in held.holds:
        return False
    return roles.has(user, Permission.SEE_ALL_ACCESS)
