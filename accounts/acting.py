"""The actor of an action, read again and locked inside the action's transaction.

A request is checked when it arrives; the action runs later. If the person is deactivated in between, or loses a role, a
group, a token or the session, the action is refused. So every action begins with

    with acting(by, refusal=Verb.REQUEST_DENY_REFUSED, target=ref) as (trail, by):

and uses the `by` that this gives. Deactivation, password reset and changes of groups and tokens lock the row of the
same person. They are committed either before the action, which is then refused, or after it.
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
    """By what somebody was let in: a session, a token."""

    def check(self, person: User) -> None:
        """Raise Refused unless it still lets `person` in, and permits what they were let in for."""


credential: ContextVar[Credential | None] = ContextVar("accounts_credential", default=None)
"""Of the call at hand; set by the doors, read here."""


@contextmanager
def acting(by: By, *, refusal: Verb, target: str, about: Collection[int] = ()) -> Iterator[tuple[Trail, By]]:
    """`recording`, with its actor read again and locked. Gives the trail and the actor as they are now.

    about: keys of other people whose access the action changes; they are locked too.
    Raises Refused: `inactive`, `session_ended`, `token_ended`, `not_permitted`, `scope`.
    """
    with recording(refusal=refusal, by=by, target=target) as trail:
        yield trail, _read_again(by, about)


def still(by: By, *, refusal: Verb, target: str) -> By:
    """The actor as they are now, for what changes nothing but is recorded. Raises what `acting` raises."""
    with acting(by, refusal=refusal, target=target) as (_, by):
        return by


def locked(*keys: int) -> dict[int, User]:
    """People by key, locked in the order of their keys, so that two transactions cannot wait for each other.

    Not against rows that refer to them (NO KEY UPDATE), which others may insert meanwhile.
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
            said = f"{now.username} no longer has the role that this needs. Nothing was done."
            raise Refused(said, reason="not_permitted")
        return by
    if (held := credential.get()) is not None:
        held.check(now)
    return now  # type: ignore[return-value]
