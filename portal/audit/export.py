"""Handing the trail on, in sequence order: CSV for reading, JSONL for verifying.

Rows are fetched in batches by their number, so memory stays flat, no cursor is held open while a slow reader downloads
(on SQLite it would keep the write-ahead log from being cut), and rows appended meanwhile cannot shift anything.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Max, QuerySet

from portal import clock
from portal.audit.models import AuditEvent
from portal.audit.queries import Filters, events
from portal.audit.record import Actor, recording
from portal.audit.verbs import Verb
from portal.errors import Invalid

BATCH = 1000
COLUMNS = (
    "seq", "at", "actor", "on_behalf_of", "token", "source", "verb", "outcome", "target", "deployment",
    "request", "grant", "operation",
)  # fmt: skip
# what a spreadsheet takes for the beginning of a formula (ASVS 1.2.10), full-width forms included
FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")


@dataclass(frozen=True)
class Export:
    """One export, ready to be sent: `chunks` may be read once."""

    filename: str
    content_type: str
    rows: int
    chunks: Iterator[str]


def export(*, by: Actor, filters: Filters, form: str) -> Export:
    """Record that `by` exports the events that meet `filters`, then give them. The record itself is not among them.

    form: "csv" or "jsonl". Raises Invalid (`format`).
    """
    if form not in FORMS:
        raise Invalid({"format": f"“{form[:20]}” is not possible; choose one of {', '.join(FORMS)}."})
    content_type, lines = FORMS[form]
    with recording() as trail:
        last = AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0
        rows = events(filters).filter(seq__lte=last)
        count = rows.count()
        detail = {"format": form, "filter": filters.as_params(), "rows": count, "up_to": last}
        trail.add(Verb.AUDIT_EXPORTED, by=by, target="audit", detail=detail)
    name = f"gatehouse-audit-{clock.now():%Y%m%dT%H%M%SZ}.{form}"
    return Export(name, content_type, count, lines(rows))


def csv_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    """RFC 4180 with a header, a batch of lines at a time; no cell begins a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([*COLUMNS, "detail", "hash"])
    for batch in _batches(rows, *COLUMNS, "payload", "hash"):
        for *values, payload, digest in batch:
            document = json.loads(payload)
            values[1] = document["at"]
            detail = json.dumps(document["detail"], ensure_ascii=False) if document["detail"] else ""
            writer.writerow([*map(inert, values), inert(detail), digest])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()  # the header alone, where there are no rows


def jsonl_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    """One object a line: `{"event":<the canonical text, byte for byte>,"hash":"...","prev":"..."}`.

    Each line can be verified by itself: hash = SHA-256(the bytes that prev names + the UTF-8 of the canonical text).
    """
    for batch in _batches(rows, "payload", "hash", "prev"):
        yield "".join(f'{{"event":{payload},"hash":"{digest}","prev":"{prev}"}}\n' for payload, digest, prev in batch)


def inert(value: object) -> object:
    """`value` so that no spreadsheet runs it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _batches(rows: QuerySet[AuditEvent], *columns: str) -> Iterator[list[tuple[Any, ...]]]:
    ordered = rows.order_by("seq").values_list("seq", *columns)
    last = 0
    while batch := list(ordered.filter(seq__gt=last)[:BATCH]):
        last = batch[-1][0]
        yield [row[1:] for row in batch]


FORMS: dict[str, tuple[str, Callable[[QuerySet[AuditEvent]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "jsonl": ("application/jsonl; charset=utf-8", jsonl_lines),
}
