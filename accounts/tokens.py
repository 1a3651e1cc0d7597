"""API tokens for programs: `gh_<key>_<secret><checksum>`. The row is found by its key and holds only a digest.

The checksum tells a token from a text that only looks like one: for secret scanners, and for us without a query. It is
the CRC-32 of the characters before it, in base 62, and fills the last six characters.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Q

from accounts import passwords, roles, token_refusals
from accounts.acting import acting
from accounts.models import Token, User
from accounts.operator import Operator
from accounts.permissions import Permission
from portal.audit.verbs import Verb
from portal.core import clock, durations, refs
from portal.core.errors import Conflict, Invalid, Missing, Refused
from portal.core.lookalikes import without_unseen
from portal.core.token_text import BEGINNING, COMPLETE

SCOPES: dict[str, Permission] = {
    "read": Permission.HOME,
    "request": Permission.REQUEST,
    "decide": Permission.DECIDE,
    "operate": Permission.OPERATE,
    "audit": Permission.AUDIT,
}
"""Every scope, with the permission that the owner must have when the token is created and at every use."""

MAX_DAYS = 365
MAX_LIVE = 50  # valid tokens of one person
KEY = re.compile(BEGINNING, re.ASCII)
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_WRITE_USE_EVERY = timedelta(minutes=1)
_uses: dict[int, datetime] = {}


def allowed_scopes(user: User) -> list[str]:
    """The scopes that the present roles of `user` allow, in the order of SCOPES."""
    held = roles.permissions_of(user)
    return [scope for scope, permission in SCOPES.items() if permission in held]


def scopes_in_force(token: Token) -> frozenset[str]:
    """The scopes that the token has now: its own, minus those that its owner's roles no longer allow."""
    return frozenset(token.scopes) & frozenset(allowed_scopes(token.user))


def create(
    *,
    by: User | Operator,
    name: str,
    scopes: Iterable[str],
    days: int,
    password: str = "",
    owner: User | None = None,
) -> tuple[Token, str]:
    """Create a token for `owner` (default: `by`). Returns it and its plaintext, which is not stored.

    password: of the person who acts, confirmed again because a token outlives the session. Not needed for an operator.
    Raises Invalid (`name`, `scopes`, `days`, `password`), Refused (`scope`) if the owner's roles do not allow a scope.
    """
    person = owner or by
    assert isinstance(person, User), "an operator must name the owner"
    if isinstance(by, User) and by.pk != person.pk:
        raise AssertionError("people create tokens for themselves only")
    refusal, proof = Verb.TOKEN_CREATE_REFUSED, ""
    if isinstance(by, User):
        proof = passwords.confirm(by, password, refusal=refusal, target=by.username)
    with acting(by, refusal=refusal, target=person.username, about=[person.pk]) as (trail, by):
        person = User.objects.get(pk=person.pk)
        if isinstance(by, User):
            passwords.check_still(by, proof)
        name, wanted = name.strip(), list(dict.fromkeys(scopes))
        _check_entry(name, wanted, days)
        _check_allowed(by, person, wanted)
        _check_number(person)
        plaintext, key = _make()
        token = Token.objects.create(
            user=person,
            name=name,
            key=key,
            digest=_digest(plaintext),
            scopes=[scope for scope in SCOPES if scope in wanted],
            expires_at=clock.now() + timedelta(days=days),
        )
        trail.add(
            Verb.TOKEN_CREATED,
            by=by,
            on_behalf_of=None if by == person else person,
            target=str(token),
            about=[refs.person(person.username)],
            detail={"owner": person.username, "name": name, "scopes": token.scopes, "days": days},
        )
    return token, plaintext


def revoke(*, by: User | Operator, token_id: int) -> Token:
    """Revoke a token: people their own, an operator any. Raises Missing, Conflict if it was already revoked."""
    owner = Token.objects.filter(pk=token_id).values_list("user", flat=True)
    with acting(by, refusal=Verb.TOKEN_REVOKE_REFUSED, target=f"token {token_id}", about=owner) as (trail, by):
        mine = Token.objects.select_related("user")
        if isinstance(by, User):
            mine = mine.filter(user=by)
        token = mine.filter(pk=token_id).first()
        if token is None:
            raise Missing("You have no such token." if isinstance(by, User) else "There is no such token.")
        now = clock.now()
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now) != 1:
            token.refresh_from_db(fields=["revoked_at"])
            when = durations.ago(token.revoked_at) if token.revoked_at else "before"
            raise Conflict(f"{token} was revoked {when}.", reason="already_revoked")
        token.revoked_at = now
        trail.add(
            Verb.TOKEN_REVOKED,
            by=by,
            on_behalf_of=None if by == token.user else token.user,
            target=str(token),
            about=[refs.person(token.user.username)],
            detail={"owner": token.user.username, "name": token.name},
        )
    return token


def authenticate(plaintext: str) -> Token | None:
    """The valid token with this plaintext, of an active person. Otherwise None, and the refusal is recorded.

    The time of use is kept in memory and written later.
    """
    token, why_not = _look_up(plaintext)
    if why_not:
        token_refusals.record(token, why_not)
        return None
    assert token is not None
    _note_use(token)
    return token


def is_live(plaintext: str) -> bool:
    """Whether `authenticate` would accept it. Records nothing. A text with a wrong checksum costs no query."""
    return has_form(plaintext) and not _look_up(plaintext)[1]


def has_form(plaintext: str) -> bool:
    """Whether the text could be one of our tokens, judged by its characters and its checksum."""
    return COMPLETE.fullmatch(plaintext) is not None and _checksum(plaintext[:-6]) == plaintext[-6:]


def _look_up(plaintext: str) -> tuple[Token | None, str]:
    """The token with the key in `plaintext`, and why it is refused (a key of token_refusals.WHY_NOT; "" if valid)."""
    key = KEY.match(plaintext)
    if key is None:
        return None, "malformed"
    token = Token.objects.select_related("user").filter(key=key[1]).first()
    if token is None:
        return None, "unknown"
    if not has_form(plaintext) or not hmac.compare_digest(token.digest, _digest(plaintext)):
        return token, "forged"
    if token.revoked_at is not None:
        return token, "revoked"
    if token.expires_at <= clock.now():
        return token, "expired"
    return token, "" if token.user.is_active else "inactive"


def _note_use(token: Token) -> None:
    """Kept in memory: a call that only reads must not wait for a database that cannot be written."""
    now = clock.now()
    if token.last_used_at is None or token.last_used_at <= now - _WRITE_USE_EVERY:
        _uses[token.pk] = now


def write_uses() -> None:
    """Write the times of use since the last call; at most one per token and minute. Raises DatabaseError."""
    for token_id, at in list(_uses.items()):
        earlier = Q(last_used_at=None) | Q(last_used_at__lt=at)
        Token.objects.filter(earlier, pk=token_id).update(last_used_at=at)
        if _uses.get(token_id) == at:
            del _uses[token_id]


def _check_entry(name: str, scopes: list[str], days: int) -> None:
    wrong = {}
    if not name or len(name) > 80 or not name.isprintable():
        wrong["name"] = "Enter a name of 1 to 80 characters."
    elif not without_unseen(name).strip():
        wrong["name"] = "The name consists of invisible characters. Enter a name of 1 to 80 characters."
    elif COMPLETE.search(name):
        wrong["name"] = "The name contains an API token. Remove it."
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        said = f"There is no scope {', '.join(f'“{scope[:20]}”' for scope in unknown)}. " if unknown else ""
        wrong["scopes"] = f"{said}Choose at least one of {', '.join(SCOPES)}."
    if not 1 <= days <= MAX_DAYS:
        wrong["days"] = f"A token is valid for 1 to {MAX_DAYS} days, not {days}."
    if wrong:
        raise Invalid(wrong)


def _check_allowed(by: User | Operator, person: User, scopes: list[str]) -> None:
    if not person.is_active:
        raise Refused(f"{person.username} can no longer sign in, so no token can be made.", reason="inactive")
    allowed = allowed_scopes(person)
    refused = [scope for scope in scopes if scope not in allowed]
    if refused:
        whose = "your roles do" if by == person else f"the roles of {person.username} do"
        raise Refused(
            f"The scope {' and '.join(refused)} is not possible: {whose} not allow it. Possible: {', '.join(allowed)}.",
            reason="scope",
        )


def _check_number(person: User) -> None:
    """Simultaneous calls cannot exceed the maximum, because `acting` has locked the person's row."""
    if person.tokens.filter(revoked_at=None, expires_at__gt=clock.now()).count() >= MAX_LIVE:
        raise Refused(
            f"{person.username} has {MAX_LIVE} valid tokens, the maximum. Revoke one that is not needed.",
            reason="too_many_tokens",
        )


def _make() -> tuple[str, str]:
    key = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(12))
    body = f"gh_{key}_" + "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return body + _checksum(body), key


def _checksum(body: str) -> str:
    number, text = zlib.crc32(body.encode()), ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        text = _ALPHABET[digit] + text
    return text


def _digest(plaintext: str) -> str:
    return hashlib.sha256(plaintext.encode()).hexdigest()
