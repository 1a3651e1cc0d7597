"""Request kinds. Each is registered by the room that owns it; approvals knows kinds through this alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from accounts.models import User
from portal.approvals import checks
from portal.approvals.models import Request
from portal.audit.compare import Columns, LedgerEvent
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec


class Kind:
    """What a room says of its requests. `request` is always a row of `model`."""

    name: str
    model: type[Request]
    related: tuple[str, ...] = ()
    """What of `model` is read along with it."""
    terms: Mapping[str, Callable[[Any], Any]] = {}
    """What only `model` has, as the event of the request says it; compared when the trail is verified."""
    related_terms: tuple[str, ...] = ()
    """What of `model` is read along for `terms`."""
    not_granting: Mapping[str, Any] = {}
    """What the event of an approval says where another stage follows."""

    def what(self, request: Any) -> str:
        """`“Operator” on prod`: what is requested, in words."""
        raise NotImplementedError

    def names(self, request: Any) -> Mapping[str, Any]:
        """What each event of the request says of what it is about."""
        return {"about": request.about}

    def said(self, told: LedgerEvent) -> Columns:
        """`about` and the terms, as the event that made the request says them."""
        return {"about": told.detail["about"], **{name: told.detail[name] for name in self.terms}}

    def policy(self, request: Any) -> PolicySpec:
        """The policy in force for what is requested. Raises Missing."""
        return catalogue.policy(request.policy)

    def searched(self, request: Any) -> list[str]:
        """Texts by which the request is found, beside its reason, its ticket and the people."""
        return [request.about]

    def entry_problems(self, request: Any, policy: PolicySpec) -> dict[str, str]:
        """What is wrong with the duration, reason and ticket of a request that is sent again, by field."""
        return checks.text_problems(request.reason, request.ticket, policy)

    def check_again(self, request: Any, *, by: User) -> None:
        """What is checked again when `by` approves it, or sends it again. Raises Refused."""

    def approved(self, request: Any, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        """What happens when the request is approved, inside the same transaction.

        duration: as approved. event: of the approval; says what came of it.
        """
        raise NotImplementedError

    def outdated(self, request: Any) -> str:
        """Why an open request could not be made under the catalogue in force, in words; empty where it could."""
        return ""


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """For a room's AppConfig.ready."""
    _kinds[kind.name] = kind


def of(request: Request) -> Kind:
    return _kinds[request.kind]


def specific(requests: Iterable[Request]) -> list[Any]:
    """The same requests, in the same order, as rows of the models of their kinds."""
    rows = list(requests)
    found: dict[int, Any] = {}
    for name in dict.fromkeys(row.kind for row in rows):
        kind = _kinds[name]
        keys = [row.pk for row in rows if row.kind == name]
        found |= {row.pk: row for row in kind.model._default_manager.filter(pk__in=keys).select_related(*kind.related)}
    return [found[row.pk] for row in rows]
