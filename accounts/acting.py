"""Checks the actor of an action again, inside the action's transaction, with the actor's row locked.

A request is checked when it arrives. The action runs later. In between, the person may be deactivated or may lose a
role, a group, a token or the session. Then the action is refused. Every action therefore begins with

    with acting(by, refusal=Verb.REQUEST_DENY_REFUSED, target=ref) as (trail, by):

and uses the `by` that `acting` yields. Deactivating a person, resetting a password and changing groups or tokens lock
the same person's row. Such a change is committed either before the action, which is then refused, or after the action.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol, TypeVar

from accounts import roles
from accounts.models import User
from accounts.operator import Operator, person_of
from portal.audit.record import Actor, Trail, recording
from portal.audit.verbs import Verb
from portal.core.errors import Refused

By = TypeVar("By", bound=Actor)


class Credential(Protocol):
    """What authenticates the current call: a session or a token."""

    def check(self, person: User) -> None:
        """Raise Refused if the credential no longer authenticates `person` or no longer permits the call."""


credential: ContextVar[Credential | None] = ContextVar("accounts_credential", default=None)
"""The credential of the current call. The web and the API set it; this module reads it."""


@contextmanager
def acting(by: By, *, refusal: Verb, target: str, about: Collection[int] = ()) -> Iterator[tuple[Trail, By]]:
    """`recording` with the actor read again and locked. Yields the trail and the actor as they are now.

    about: primary keys of other people whose access the action changes. Their rows are locked too.
    Raises Refused: `inactive`, `session_ended`, `token_ended`, `not_permitted`, `scope`.
    """
    with recording(refusal=refusal, by=by, target=target) as trail:
        yield trail, _read_again(by, about)


def check_actor(by: By, *, refusal: Verb, target: str) -> By:
    """Check the actor again before a step that is recorded but changes no row. Raises what `acting` raises."""
    with acting(by, refusal=refusal, target=target) as (_, by):
        return by


def locked(*keys: int) -> dict[int, User]:
    """Lock people's rows and return them by primary key. The rows are locked in key order, which prevents deadlocks.

    The lock (NO KEY UPDATE) does not block transactions that insert rows with a foreign key to these people.
    """
    rows = User.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk")
    return {person.pk: person for person in rows}


def _read_again(by: By, about: Collection[int]) -> By:
    person = person_of(by)
    if person is None:
        locked(*about)
        return by
    now = locked(person.pk, *about)[person.pk]
    if not now.is_active:
        raise Refused(f"The account {now.username} is deactivated. Nothing was done.", reason="inactive")
    if isinstance(by, Operator):
        if not roles.has(now, by.needs):
            said = f"{now.username} no longer has the role that this action needs. Nothing was done."
            raise Refused(said, reason="not_permitted")
        return by
    if (held := credential.get()) is not None:
        held.check(now)
    return now  # type: ignore[return-value]
