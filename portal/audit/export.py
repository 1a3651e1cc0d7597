"""Exports the trail in sequence order: CSV for reading, JSONL for verifying.

Rows are read in batches by number. So memory use is constant, no cursor stays open for a slow reader (on SQLite it
would block the truncation of the write-ahead log), and events appended meanwhile change nothing.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from types import SimpleNamespace
from typing import Any

from django.db.models import Max, QuerySet

from portal.audit import references
from portal.audit.models import AuditEvent, about_of, detail_of, document_of
from portal.audit.presenters import in_words
from portal.audit.queries import Filters, events
from portal.audit.record import Actor, recording, stamp
from portal.audit.verbs import Verb
from portal.core import clock, refs
from portal.core.errors import Invalid
from portal.core.token_text import hide_tokens

BATCH = 1000
COLUMNS = ("seq", "at", "actor", "on_behalf_of", "token", "source", "verb", "outcome", "target")
FIRST = {"deployment": refs.DEPLOYMENT, "request": refs.REQUEST, "grant": refs.GRANT, "operation": refs.OPERATION}
"""Columns for the first reference of a kind, which is the one that the event changes. `about` has all references."""
HEADER = (*COLUMNS, *FIRST, "sentence", "detail", "prev", "hash", "leaf", "about")
BYTE_ORDER_MARK = "\ufeff"  # without it Excel reads a CSV file in the machine's old code page
LONGEST_CELL = 32_767  # UTF-16 units; the limit of a cell in Excel, which moves the rest to other rows
# What a spreadsheet takes for the beginning of a formula (ASVS 1.2.10), including full-width characters: at the
# beginning of a cell, and after a character that the reader may use as separator instead of a comma.
FORMULA = re.compile(r"""^(?=[\t\r\n\0]|["\s]*[=+\-@＝＋－＠])|(?<=[;|\t\r\n])(?=["\s]*[=+\-@＝＋－＠])""")


@dataclass(frozen=True)
class Export:
    """One export. `chunks` can be read once."""

    filename: str
    content_type: str
    rows: int
    chunks: Iterator[str]


def export(*, by: Actor, filters: Filters, form: str, bom: bool = True) -> Export:
    """Record that `by` exports the events that match `filters`, then return them. The new event is not among them.

    form: "csv" or "jsonl". bom: whether CSV begins with a byte-order mark. Raises Invalid (`format`).
    """
    if form not in FORMS:
        raise Invalid({"format": f"“{form[:20]}” is not a format. Use one of {', '.join(FORMS)}."})
    content_type, lines = FORMS[form]
    with recording() as trail:
        last = AuditEvent.objects.aggregate(last=Max("seq"))["last"] or 0
        rows = events(filters).filter(seq__lte=last)
        count = rows.count()
        sought = {name: hide_tokens(text) for name, text in filters.as_params().items()}
        detail = {"format": form, "filter": sought, "rows": count, "up_to": last}
        trail.add(Verb.AUDIT_EXPORTED, by=by, target="audit", detail=detail)
    name = f"gatehouse-audit-{clock.now():%Y%m%dT%H%M%SZ}.{form}"
    chunks = lines(rows)
    return Export(name, content_type, count, chain([BYTE_ORDER_MARK], chunks) if bom and form == "csv" else chunks)


def csv_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    """RFC 4180 with a header, one batch of lines at a time. Every text is quoted, and no cell begins a formula."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(HEADER)
    for batch in _batches(rows, *COLUMNS, "payload", "prev", "chain", "leaf"):
        for *values, payload, prev, digest, leaf in batch:
            document = document_of(payload)
            said, about = detail_of(document), about_of(document)
            first = {name: refs.name_of(references.first(about, kind)) for name, kind in FIRST.items()}
            sentence = in_words(SimpleNamespace(**dict(zip(COLUMNS, values, strict=True)), **first), said)
            detail = json.dumps(said, ensure_ascii=False) if said else ""
            values[1] = stamp(values[1])
            cells = [_cell(value, values[0]) for value in (*values, *first.values(), sentence, detail)]
            writer.writerow([*cells, prev, digest, leaf, _cell("\n".join(about), values[0])])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()  # the header, if there are no rows


def jsonl_lines(rows: QuerySet[AuditEvent]) -> Iterator[str]:
    """One object per line: `{"event":<the canonical text, byte for byte>,"hash":"...","leaf":"...","prev":"..."}`.

    Each line can be verified by itself (portal.audit.format): leaf = SHA-256(a zero byte + the UTF-8 of the text),
    hash = SHA-256(the bytes of prev + the bytes of leaf).
    """
    for batch in _batches(rows, "payload", "chain", "leaf", "prev"):
        yield "".join(
            f'{{"event":{payload},"hash":"{digest}","leaf":"{leaf}","prev":"{prev}"}}\n'
            for payload, digest, leaf, prev in batch
        )


def inert(text: str) -> str:
    """`text` with an apostrophe before everything that a spreadsheet could run as a formula."""
    return FORMULA.sub("'", text)


def fitting(text: str, seq: int) -> str:
    """`text` shortened to the limit of a cell. A shortened cell says so, and where the complete text is."""
    if len(text) <= LONGEST_CELL // 2 or len(text.encode("utf-16-le")) // 2 <= LONGEST_CELL:
        return text
    mark = f"… [cut: {len(text)} characters in all; the JSONL export has the complete event {seq}]"
    kept = text.encode("utf-16-le")[: 2 * (LONGEST_CELL - len(mark))]
    return kept.decode("utf-16-le", "ignore") + mark


def _cell(value: object, seq: int) -> object:
    return fitting(inert(value), seq) if isinstance(value, str) else value


def _batches(rows: QuerySet[AuditEvent], *columns: str) -> Iterator[list[tuple[Any, ...]]]:
    ordered = rows.order_by("seq").values_list("seq", *columns)
    left = ordered
    while batch := list(left[:BATCH]):
        left = ordered.filter(seq__gt=batch[-1][0])
        yield [row[1:] for row in batch]


FORMS: dict[str, tuple[str, Callable[[QuerySet[AuditEvent]], Iterator[str]]]] = {
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "jsonl": ("application/jsonl; charset=utf-8", jsonl_lines),
}
