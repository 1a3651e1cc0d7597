"""Authentication by bearer tokens. Session cookies are not accepted, so the API needs no CSRF protection."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.http import HttpRequest
from ninja.security import HttpBearer

from accounts import people, tokens
from accounts.acting import credential
from accounts.credentials import ByToken
from accounts.models import Token, User
from portal.api import limits
from portal.api.problems import TooMany, Unauthenticated
from portal.audit.record import recording, source
from portal.audit.refused_calls import SAFE, note_refused
from portal.audit.verbs import Verb
from portal.core.errors import Refused


@dataclass(frozen=True)
class Caller:
    """The owner of a token, and the scopes that the token has now."""

    user: User
    token: Token
    scopes: frozenset[str]


class ApiRequest(HttpRequest):
    """A request with a valid token."""

    auth: Caller


class Bearer(HttpBearer):
    """Accepts tokens with one of `scopes`; without scopes, every token.

    Raises Unauthenticated (recorded if a token was sent), TooMany (recorded) and Refused (`scope`, recorded).
    """

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> Caller:
        caller: Caller | None = super().__call__(request)
        if caller is None:
            raise Unauthenticated(
                "This call needs a token: send “Authorization: Bearer gh_...”. Make one on your profile page.",
                reason="no_token",
            )
        return caller

    def authenticate(self, request: HttpRequest, token: str) -> Caller:
        found = tokens.authenticate(token)
        if found is None:
            raise Unauthenticated(
                "This token is not valid: mistyped, revoked, expired, or its owner can no longer sign in.",
                reason="invalid_token",
            )
        source.set(replace(source.get(), token=f"{found} {found.name}"))
        try:
            limits.count(request, found)
        except TooMany as error:
            note_refused(by=found.user, method=request.method or "", path=request.path, error=error)
            raise
        if request.method in SAFE:
            people.read_once(found.user)
        caller = Caller(found.user, found, tokens.scopes_in_force(found))
        credential.set(ByToken(found.pk, self.scopes, caller.scopes))  # reset by portal.api.views
        if self.scopes:
            need_scope(request, caller, *self.scopes)
        return caller


def need_scope(request: HttpRequest, caller: Caller, *scopes: str) -> None:
    """Raises Refused (`scope`), which is recorded, unless the token has one of `scopes`."""
    if not caller.scopes.isdisjoint(scopes):
        credential.set(ByToken(caller.token.pk, scopes, caller.scopes))
        return
    with recording(refusal=Verb.PAGE_REFUSED, by=caller.user, target=f"{request.method} {request.path}"):
        raise Refused(
            f"This call needs a token with the scope {' or '.join(scopes)}; this one may "
            f"{', '.join(sorted(caller.scopes)) or 'do nothing'}.",
            reason="scope",
        )
