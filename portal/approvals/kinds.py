"""Request kinds. Each package registers its kinds here. approvals uses kinds only through this interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from accounts.models import User
from portal.approvals import checks
from portal.approvals.models import Request
from portal.approvals.steps import Step
from portal.audit.compare import Columns, LedgerEvent, Makes
from portal.audit.record import Trail
from portal.audit.refusals import Entry
from portal.audit.verbs import Verb
from portal.catalogue import queries as catalogue
from portal.catalogue.document import PolicySpec


class Kind:
    """One kind of request, with the behaviour that its package defines. `request` is always a row of `model`."""

    name: str
    model: type[Request]
    related: tuple[str, ...] = ()
    """Relations of `model` for `select_related`."""
    shown_with: tuple[str, ...] = ()
    """Relations that lists and pages of requests show too, for `prefetch_related`."""
    terms: Mapping[str, Callable[[Any], Any]] = {}
    """By name, the fields that only `model` has, in the form that the event of the request uses. Verifying the trail
    compares them."""
    related_terms: tuple[str, ...] = ()
    """Relations of `model` that `terms` need, for `select_related`."""
    changeable: tuple[str, ...] = ()
    """The names of those `terms` that the requester can change when the request is returned."""
    result = ""
    """The key in the event of an approval with the result of the request; null while another stage follows. Empty: the
    kind records no result."""
    makes: Mapping[Verb, Makes] = {}
    """By verb, the values of `terms` after the events that only this kind has. They follow the approval."""

    def label(self, request: Any) -> str:
        """The requested thing in words: `“Operator” on prod`."""
        raise NotImplementedError

    def sentence(self, request: Any) -> str:
        """The request in one sentence: `employee asks for “Operator” on prod for 8 hours`; in the past once it is
        decided."""
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

    def made_under(self, request: Any) -> PolicySpec:
        """The policy under which the request was made. Raises Missing."""
        return catalogue.policy(request.policy, request.policy_version)

    def search_texts(self, request: Any) -> list[str]:
        """Texts to search in, in addition to the reason, the ticket and the people."""
        return [request.about]

    def entry_problems(self, request: Any, policy: PolicySpec) -> dict[str, str]:
        """The errors of a request that is sent again, by field: duration, reason and ticket."""
        return checks.text_problems(request.reason, request.ticket, policy)

    def change(self, request: Any, changed: Mapping[str, Any], *, by: User) -> Mapping[str, Any]:
        """Change the `changeable` terms of the row, which is not saved. Returns the columns of `model` to store.

        changed: new values by name, of `changeable` terms alone. Raises Invalid (by field).
        """
        return {}

    def changed_words(self, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
        """The changes of the `changeable` terms in words, one sentence each."""
        return []

    def own_terms(self, request: Any) -> dict[str, Any]:
        """The values of the `changeable` terms, as events have them."""
        return {name: self.terms[name](request) for name in self.changeable}

    def check_again(self, request: Any, *, by: User) -> None:
        """The checks before `by` approves the request or sends it again. Raises Refused."""

    def approved(self, request: Any, *, duration: timedelta | None, event: Entry, trail: Trail) -> None:
        """Called when the request is approved, inside the same transaction.

        duration: the approved one. event: of the approval; the kind adds the result to it.
        """
        raise NotImplementedError

    def closed(self, request: Any) -> None:
        """Called when an open request is closed without an approval, inside the same transaction."""

    def at_once_words(self, request: Any) -> tuple[str, str]:
        """The title and the note of the step of a request that was approved without a decision."""
        return "Granted at once by its policy", f"Policy “{request.policy}”, version {request.policy_version}"

    def steps(self, request: Any) -> list[Step]:
        """The steps of the timeline after the decision."""
        return []

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
