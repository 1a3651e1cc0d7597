"""The data of the trail's page: events by day, links to newer and older events, the last verification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from portal.access.models import AccessRequest
from portal.audit import queries
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.queries import Filters
from portal.audit.verbs import Verb
from portal.core import bounds, refs
from portal.core.errors import Missing
from portal.web.audit.facts import facts, indented

SIZE = 50
CHECKS = (Verb.AUDIT_VERIFIED, Verb.AUDIT_VERIFY_FAILED)


@dataclass(frozen=True)
class Row:
    event: AuditEvent
    words: str
    break_glass: bool = False

    @property
    def facts(self) -> list[tuple[str, str]]:
        return facts(self.event)

    @property
    def numbered(self) -> list[str]:
        """The requests, grants, runs and operations that the event is about."""
        return [one for one in self.event.about if refs.NUMBERED.fullmatch(one)]

    @property
    def pretty(self) -> str:
        """The complete text of the event, indented; as it is stored where it is not JSON."""
        return indented(self.event.payload)

    @property
    def at(self) -> datetime:
        """The time of the event, limited to times that every time zone can show."""
        return bounds.moment(self.event.at)


@dataclass(frozen=True)
class TrailPage:
    """newer, older: the addresses of the neighbouring pages; empty if there is none."""

    days: list[tuple[date, list[Row]]]
    newer: str = ""
    older: str = ""


def page(filters: Filters, params: QueryDict) -> TrailPage:
    """The page before the event `before` or after the event `after`, or the newest one. Raises Missing if they are no
    numbers."""
    before, after = _place(params, "before"), _place(params, "after")
    rows = queries.events(filters)
    if after is not None:
        found = list(rows.filter(seq__gt=after).order_by("seq")[: SIZE + 1])
        more_newer, more_older = len(found) > SIZE, True
        found = found[:SIZE][::-1]
    else:
        found = list((rows.filter(seq__lt=before) if before is not None else rows)[: SIZE + 1])
        more_newer, more_older = before is not None, len(found) > SIZE
        found = found[:SIZE]
    return TrailPage(
        days=_by_day(found),
        newer=f"?{_link(params, after=found[0].seq)}" if found and more_newer else "",
        older=f"?{_link(params, before=found[-1].seq)}" if found and more_older else "",
    )


def _by_day(events: list[AuditEvent]) -> list[tuple[date, list[Row]]]:
    """The rows by day in the reader's time zone."""
    marked = _of_break_glass(events)
    rows = [Row(event, sentence(event), event.request in marked) for event in events]
    return [(day, list(group)) for day, group in groupby(rows, key=lambda row: timezone.localtime(row.at).date())]


def _of_break_glass(events: list[AuditEvent]) -> set[str]:
    """The break-glass requests among those of `events`. All their events are marked."""
    named = {event.request.removeprefix(f"{refs.REQUEST}-") for event in events}
    numbers = [int(number) for number in named if number.isdecimal() and len(number) <= 18]
    rows = AccessRequest.objects.filter(pk__in=numbers, break_glass=True)
    return {refs.ref(refs.REQUEST, pk) for pk in rows.values_list("pk", flat=True)}


def _place(params: QueryDict, name: str) -> int | None:
    text = params.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Missing("There is no such page of the audit trail. Open the audit trail again.")
    return int(text)


def _link(params: QueryDict, **place: int) -> str:
    """The query string of the same filters with another place in the trail."""
    kept = [(name, str(value)) for name, value in params.items() if value and name not in ("before", "after")]
    return urlencode([*kept, *((name, str(seq)) for name, seq in place.items())])


def filters_only(params: QueryDict) -> str:
    """The query string of the filters, for the export."""
    return _link(params)


@dataclass(frozen=True)
class Check:
    """The last verification of the trail and its result."""

    event: AuditEvent
    detail: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.event.verb == Verb.AUDIT_VERIFIED

    @property
    def at(self) -> datetime:
        return bounds.moment(self.event.at)

    @property
    def counted(self) -> dict[str, Any]:
        return {name: self.detail.get(name, "") for name in ("events", "up_to", "rows")}

    @property
    def problems(self) -> list[str]:
        found = self.detail.get("problems")
        return [str(words) for words in found] if isinstance(found, list) else []


def last_check() -> Check | None:
    event = AuditEvent.objects.filter(verb__in=CHECKS).order_by("-seq").first()
    return Check(event, event.detail) if event else None
