"""Reading the trail: filters of people and programs, and pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from portal.audit import labels
from portal.audit.models import AuditEvent, AuditReference
from portal.audit.verbs import Verb
from portal.core import bounds, refs
from portal.core.errors import Invalid
from portal.core.text import LONGEST_SEARCH, fold, search_words

LOST_PLUS = re.compile(r"(:[\d.:]+) (\d\d:?\d\d)$")  # an unescaped plus sign arrives as a space
VERB_PATTERN = re.compile(r"[a-z_]+\.([a-z_]+|\*)")


@dataclass(frozen=True)
class Filters:
    """Which events to show. An empty field does not filter.

    actor: a user name as stored (accounts.trail_filters); also finds what was done on that person's behalf.
    verb: `request.approved`, or `request.*`.
    target: `REQ-12`, a user name, `demo/sales_report`. A numbered reference works like `about`.
    about: a reference (`REQ-12`, `person:employee`, `deployment:demo`), or a name of any kind.
    since, until: the first time that is included, and the first that is no longer included.
    q: words, each of which is contained in the event's texts or in the fixed text of its kind.
    """

    actor: str = ""
    verb: str = ""
    target: str = ""
    about: str = ""
    deployment: str = ""
    outcome: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""

    @classmethod
    def parse(cls, params: Mapping[str, str]) -> Filters:
        """Filters from query parameters; other parameters are ignored. Raises Invalid with every wrong field."""
        wrong: dict[str, str] = {}
        found: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            text = params.get(name, "").strip()
            try:
                found[name] = READERS.get(name, _text)(text)
            except ValueError as error:
                wrong[name] = str(error)
        since, until = found.get("since"), found.get("until")
        if since and until and until <= since:
            wrong["until"] = "The end is before the start."
        if wrong:
            raise Invalid(wrong)
        return cls(**found)

    def as_params(self) -> dict[str, str]:
        """The filters that are set, as text: for links, and for the event of an export."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items() if value
        }


def events(filters: Filters) -> QuerySet[AuditEvent]:
    """The events that match `filters`, newest first."""
    rows = AuditEvent.objects.order_by("-seq")
    if filters.actor:
        names = _spellings(filters.actor)
        rows = rows.filter(Q(actor__in=names) | Q(on_behalf_of__in=names))
    if filters.verb.endswith("*"):
        rows = rows.filter(verb__startswith=filters.verb[:-1])
    elif filters.verb:
        rows = rows.filter(verb=filters.verb)
    if filters.target and refs.NUMBERED.fullmatch(filters.target.upper()):
        rows = _about(rows, {filters.target.upper()})
    elif filters.target:
        rows = rows.filter(target__in=_spellings(filters.target))
    if filters.about:
        rows = _about(rows, _references(filters.about))
    if filters.deployment:
        rows = _about(rows, {refs.deployment(filters.deployment)})
    if filters.outcome:
        rows = rows.filter(outcome=filters.outcome)
    if filters.since:
        rows = rows.filter(at__gte=filters.since)
    if filters.until:
        rows = rows.filter(at__lt=filters.until)
    for word in search_words(filters.q):
        rows = rows.filter(Q(search_text__contains=word) | Q(verb__in=labels.saying(word)))
    return rows


def page(filters: Filters, *, before: int | None = None, size: int = 50) -> tuple[list[AuditEvent], int | None]:
    """One page, newest first, and the `before` of the next one (None at the end). Every page costs the same."""
    rows = events(filters)
    if before is not None:
        rows = rows.filter(seq__lt=before)
    found = list(rows[: size + 1])
    return found[:size], found[size - 1].seq if len(found) > size else None


def event(seq: int) -> AuditEvent | None:
    return AuditEvent.objects.filter(pk=seq).first()


def _about(rows: QuerySet[AuditEvent], references: set[str]) -> QuerySet[AuditEvent]:
    return rows.filter(seq__in=AuditReference.objects.filter(reference__in=references).values("seq"))


def _references(text: str) -> set[str]:
    """The references that `text` may mean. A name without a kind may be that of a person, a deployment or anything."""
    if refs.NUMBERED.fullmatch(text.upper()):
        return {text.upper()}
    kind, _, name = text.partition(":")
    kinds, name = ((kind.lower(),), name) if kind.lower() in refs.NAMED else (refs.NAMED, text)
    return {refs.named(kind, spelled) for kind in kinds for spelled in _spellings(name)}


def _spellings(name: str) -> set[str]:
    """How a name or reference may be stored: as typed, composed, folded (user names), in capitals (`REQ-12`)."""
    return {name, unicodedata.normalize("NFC", name), fold(name), name.upper()}


def _text(text: str) -> str:
    if not bounds.is_storable(text):
        raise ValueError("The text holds a character that cannot be searched for.")
    if len(text) > LONGEST_SEARCH:
        raise ValueError(f"The text has {len(text)} characters; at most {LONGEST_SEARCH} can be searched for.")
    return text


def _words(text: str) -> str:
    try:
        search_words(text)
    except Invalid as error:
        raise ValueError(error.detail) from None
    return text


def _verb(text: str) -> str:
    if text and (
        not VERB_PATTERN.fullmatch(text)
        or not any(verb == text or (text.endswith(".*") and verb.startswith(text[:-1])) for verb in Verb)
    ):
        raise ValueError(f"There is no event “{text[:60]}”. Examples: request.approved, request.*")
    return text


def _outcome(text: str) -> str:
    if text and text not in AuditEvent.Outcome.values:
        raise ValueError(f"“{text[:40]}” is not an outcome. Use one of {', '.join(AuditEvent.Outcome.values)}.")
    return text


def _moment(text: str, *, end_of_day: bool) -> datetime | None:
    """A date or a time. Without a time zone, the reader's own is meant.

    The first and the last possible day mean "no limit", as many programs write it.
    """
    if not text:
        return None
    try:
        day = parse_date(text)
        found = None if day else parse_datetime(LOST_PLUS.sub(r"\1+\2", text))
        if day is not None:
            found = _midnight(day + timedelta(days=1) if end_of_day and day < date.max else day)
    except ValueError:  # well formed, but not a real date
        found = None
    if found is None:
        raise ValueError(f"“{text[:40]}” is not a date or time. Examples: 2026-11-21, 2026-11-21T09:00:00Z")
    return bounds.moment(timezone.make_aware(found) if timezone.is_naive(found) else found)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


READERS = {
    "q": _words,
    "verb": _verb,
    "outcome": _outcome,
    "since": lambda text: _moment(text, end_of_day=False),
    "until": lambda text: _moment(text, end_of_day=True),
}
