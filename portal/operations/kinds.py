"""The registry of operation kinds. Each kind is registered by its room when Django is ready."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from portal.audit.verbs import Verb
from portal.operations.handling import MAX_ATTEMPTS, Handler

if TYPE_CHECKING:
    from accounts.models import User
    from portal.audit.record import Trail
    from portal.operations.models import Operation


@dataclass(frozen=True)
class Kind:
    """A kind of operation, for the outbox and the executor.

    name: as stored, at most 40 characters. label: for people, an action: "give a role".
    account: the account that executes it in Airflow, "granter" or "runner".
    ordering_key: returns the ordering key for the argument `about` of `outbox.put`. Operations with the same key run
    one at a time. None: they may run at the same time.
    max_attempts: after so many counted failures the operation fails for good; None: it never does.
    first: whether it is executed before the other kinds, as removals are.
    superseded: the verb of the event for an operation that a later one with the same key or subject replaces. None:
    every operation is executed.
    alarm: writes the event of an operation that does not succeed (operation, why, trail), once, inside the caller's
    transaction. Returns whether it wrote one. None: no alarm.
    check_can_see: raises Missing if a person may not see what the operation is for. None: only people who may see all
    access can see it.
    """

    name: str
    label: str
    account: str
    handler: Handler
    ordering_key: Callable[[Any], str] | None = None
    max_attempts: int | None = MAX_ATTEMPTS
    first: bool = False
    superseded: Verb | None = None
    alarm: Callable[[Operation, str, Trail], bool] | None = None
    check_can_see: Callable[[User, Operation], object] | None = None


_registered: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    for kind in kinds:
        if _registered.setdefault(kind.name, kind) is not kind:
            raise ValueError(f"Two rooms register the operation kind {kind.name}.")


def get(name: str) -> Kind:
    """The kind of this name. Raises KeyError if it is not registered."""
    return _registered[name]


def find(name: str) -> Kind | None:
    """The kind of this name; None if it is not registered, as a kind of another release."""
    return _registered.get(name)


def names(which: Callable[[Kind], object] = lambda kind: True) -> list[str]:
    """The names of the kinds for which `which` returns true."""
    return [kind.name for kind in _registered.values() if which(kind)]
