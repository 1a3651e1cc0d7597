"""Request kinds. Each package registers its kinds here. approvals uses kinds only through this interface."""

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
    """One kind of request, with the behaviour that its package defines. `request` is always a row of `model`."""

    name: str
    model: type[Request]
    related: tuple[str, ...] = ()
    """Relations of `model` for `select_related`."""
    terms: Mapping[str, Callable[[Any], Any]] = {}
    """By name, the fields that only `model` has, in the form that the event of the request uses. Verifying the trail
    compares them."""
    related_terms: tuple[str, ...] = ()
    """Relations of `model` that `terms` need, for `select_related`."""
    detail_without_grant: Mapping[str, Any] = {}
    """Added to the event of an approval if another stage follows."""

    def label(self, request: Any) -> str:
        """The requested thing in words: `“Operator” on prod`."""
        raise NotImplementedError

    def event_detail(self, request: Any) -> Mapping[str, Any]:
        """The part of every event of the request that names the requested thing."""
        return {"about": request.about}

    def recorded_columns(self, recorded: LedgerEvent) -> Columns:
        """The values of `about` and of `terms` in the event that created the request."""
        return {"about": recorded.detail["about"], **{name: recorded.detail[name] for name in self.terms}}

    def policy(self, request: Any) -> PolicySpec:
        """The policy in force for the requested thing. Raises Missing."""
        return catalogue.policy(request.policy)

    def search_texts(self, request: Any) -> list[str]:
        """Texts to search in, in addition to the reason, the ticket and the people."""
        return [request.about]

    def entry_problems(self, request: Any, policy: PolicySpec) -> dict[str, str]:
        """The errors of a request that is sent again, by field: duration, reason and ticket."""
        return checks.text_problems(request.reason, request.ticket, policy)

    def check_again(self, request: Any, *, by: User) -> None:
        """The checks before `by` approves the request or sends it again. Raises Refused."""

    def approved(self, request: Any, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        """Called when the request is approved, inside the same transaction.

        duration: the approved one. event: of the approval; the kind adds the result to it.
        """
        raise NotImplementedError

    def outdated(self, request: Any) -> str:
        """In words, why the catalogue in force would not allow an open request; empty if it would."""
        return ""


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Call this in the AppConfig.ready of a package."""
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
