"""Deactivating and reactivating people.

Deactivation ends sessions and tokens at once, lapses open requests and ends grants. Operations remove the roles in
Airflow. Scheduled grants never start.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from django.db.models import QuerySet

from accounts import passwords, people
from accounts.acting import acting
from accounts.models import Token, User
from accounts.operator import Operator
from portal.access import grants
from portal.access.models import Grant
from portal.approvals import lapsing
from portal.audit.record import Actor
from portal.audit.verbs import Verb
from portal.core import clock
from portal.core.errors import Conflict
from portal.core.text import fold
from portal.core.text_checks import clean_text

G = Grant.Status
HELD = (G.SCHEDULED, G.APPLYING, G.ACTIVE, G.FAILED)


@dataclass(frozen=True)
class Leaving:
    """The references of everything that a deactivation ends, or would end."""

    person: User
    tokens: list[str]
    requests: list[str]
    grants: list[str]


def consequences(username: str) -> Leaving:
    """Everything that `deactivate` would end now. Raises Missing."""
    person = people.by_username(username)
    tokens = Token.objects.filter(user=person, revoked_at=None, expires_at__gt=clock.now()).order_by("pk")
    return Leaving(
        person,
        [str(token) for token in tokens],
        [request.ref for request in lapsing.open_requests_of(person)],
        [grant.ref for grant in _held(person)],
    )


def deactivate(*, by: Operator, username: str, reason: str = "") -> Leaving:
    """Deactivate a person, who can then no longer sign in.

    Raises Missing, Invalid (`reason`), Conflict if the person is already deactivated.
    """
    with acting(by, refusal=Verb.PERSON_CHANGE_REFUSED, target=username[:150], about=_key(username)) as (trail, by):
        person = people.by_username(username)
        reason = clean_text("reason", reason)
        if not person.is_active:
            raise Conflict(f"{person.username} is already deactivated.", reason="already_inactive")
        person.is_active = False
        person.save(update_fields=["is_active"])
        tokens = passwords.end_sessions_and_tokens(person, by=by, trail=trail)
        requests = lapsing.lapse_of(person, by=by, trail=trail)
        ended = _end_grants(person, by=by)
        left = Leaving(person, [str(token) for token in tokens], requests, ended)
        trail.add(
            Verb.PERSON_DEACTIVATED,
            by=by,
            target=person.username,
            detail={"reason": reason, "tokens": left.tokens, "requests": left.requests, "grants": left.grants},
        )
    return left


def reactivate(*, by: Operator, username: str, reason: str = "") -> User:
    """Let a person sign in again, with the same password. Nothing that the deactivation ended is restored.

    Raises Missing, Invalid (`reason`), Conflict if the person is active.
    """
    with acting(by, refusal=Verb.PERSON_CHANGE_REFUSED, target=username[:150], about=_key(username)) as (trail, by):
        person = people.by_username(username)
        reason = clean_text("reason", reason)
        if person.is_active:
            raise Conflict(f"{person.username} is active.", reason="already_active")
        person.is_active = True
        person.save(update_fields=["is_active"])
        trail.add(Verb.PERSON_REACTIVATED, by=by, target=person.username, detail={"reason": reason})
    return person


def _key(username: str) -> QuerySet[User, int]:
    return User.objects.filter(folded=fold(username.strip())).values_list("pk", flat=True)


def _held(person: User) -> list[Grant]:
    return list(Grant.objects.filter(beneficiary=person, status__in=HELD).order_by("pk"))


def _end_grants(person: User, *, by: Actor) -> list[str]:
    ended = []
    for grant in _held(person):
        with suppress(Conflict):  # it ended in the meantime, which must not stop the deactivation
            grants.end(grant, reason=Grant.EndReason.LEAVER, by=by)
            ended.append(grant.ref)
    return ended
