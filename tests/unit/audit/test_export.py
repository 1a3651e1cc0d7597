from __future__ import annotations

import csv
import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.db import DatabaseError

from portal.audit import export
from portal.audit.export import csv_lines, inert, jsonl_lines
from portal.audit.models import AuditEvent
from portal.audit.queries import Filters, detail, events
from portal.audit.verbs import Verb
from portal.errors import Invalid
from tests.unit.audit.conftest import Somebody, happen

pytestmark = pytest.mark.django_db
AUDITOR = Somebody("auditor")


def table(chunks: Iterator[str]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(chunks), newline="")))


def test_csv_has_every_event_in_sequence_order(ten_events: None) -> None:
    rows = table(csv_lines(events(Filters())))
    assert [row["seq"] for row in rows] == [str(seq) for seq in range(1, 11)]
    event = AuditEvent.objects.get(seq=3)
    assert rows[2] | {"at": ""} == {
        "seq": "3", "at": "", "actor": "lead", "on_behalf_of": "", "token": "", "source": "",
        "verb": "request.approved", "outcome": "success", "target": "REQ-3", "deployment": "demo",
        "request": "REQ-3", "grant": "", "operation": "", "detail": '{"comment": "number 3"}', "hash": event.hash,
    }  # fmt: skip
    assert rows[2]["at"] == json.loads(event.payload)["at"]


def test_csv_of_nothing_is_its_header() -> None:
    assert "".join(csv_lines(events(Filters()))).startswith("seq,at,actor,")
    assert table(csv_lines(events(Filters()))) == []


@pytest.mark.parametrize("first", list("=+-@\t\r\n＝＋－＠"))
def test_no_cell_begins_a_formula(first: str) -> None:
    happen(f"{first}cmd|'/C calc'!A0", by=f"{first}lead", deployment=f'{first}a","b')
    (row,) = table(csv_lines(events(Filters())))
    assert row["target"] == f"'{first}cmd|'/C calc'!A0"
    assert row["actor"] == f"'{first}lead"
    assert row["deployment"] == f'\'{first}a","b'
    assert not any(value.startswith(first) for value in row.values())


def test_only_what_begins_like_a_formula_is_changed() -> None:
    assert [inert(value) for value in ("a=b", "", 12, -12, "'=x", "\0x")] == ["a=b", "", 12, -12, "'=x", "'\0x"]


def test_csv_survives_line_breaks_quotes_and_every_script() -> None:
    happen('a\r\n"b",c;d', detail={"comment": "보안 \U0001f512\n"})
    (row,) = table(csv_lines(events(Filters())))
    assert row["target"] == 'a\r\n"b",c;d'
    assert json.loads(row["detail"]) == {"comment": "보안 \U0001f512\n"}


def test_jsonl_can_be_verified_line_by_line_from_its_bytes() -> None:
    for target in ("REQ-1", "보안 \u2028\u0085 \U0001f512", '"},"hash":"x"}'):
        happen(target, detail={"comment": target})
    text = "".join(jsonl_lines(events(Filters())))
    lines = text.encode().removesuffix(b"\n").split(b"\n")
    assert len(lines) == 3
    prev = "0" * 64
    for seq, line in enumerate(lines, start=1):
        told = json.loads(line)
        tail = b',"hash":"%s","prev":"%s"}' % (told["hash"].encode(), told["prev"].encode())
        payload = line.removeprefix(b'{"event":').removesuffix(tail)
        assert payload == AuditEvent.objects.get(seq=seq).payload.encode()
        assert hashlib.sha256(bytes.fromhex(told["prev"]) + payload).hexdigest() == told["hash"]
        assert (told["prev"], told["event"]["seq"]) == (prev, seq)
        prev = told["hash"]


def test_more_than_one_batch(ten_events: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 3)
    chunks = list(jsonl_lines(events(Filters())))
    assert [chunk.count("\n") for chunk in chunks] == [3, 3, 3, 1]
    assert len(table(csv_lines(events(Filters())))) == 10


def test_an_export_reads_a_batch_at_a_time(
    ten_events: None, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries
) -> None:
    monkeypatch.setattr(export, "BATCH", 5)
    made = export.export(by=AUDITOR, filters=Filters(), form="jsonl")
    with django_assert_num_queries(1):
        next(made.chunks)
    with django_assert_num_queries(2):
        assert len(list(made.chunks)) == 1


def test_an_export_is_recorded_with_its_filter_and_is_not_part_of_itself(ten_events: None) -> None:
    made = export.export(by=AUDITOR, filters=Filters.parse({"target": "REQ-4", "verb": "request.*"}), form="csv")
    event = AuditEvent.objects.get(seq=11)
    assert (event.verb, event.actor) == (Verb.AUDIT_EXPORTED, "auditor")
    assert detail(event) == {
        "format": "csv", "filter": {"target": "REQ-4", "verb": "request.*"}, "rows": 1, "up_to": 10,
    }  # fmt: skip
    assert made.rows == len(table(made.chunks)) == 1
    everything = export.export(by=AUDITOR, filters=Filters(), form="jsonl")
    happen("while it is being downloaded")
    assert everything.rows == "".join(everything.chunks).count("\n") == 11


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_recorded_is_not_exported(broken_trail: None) -> None:
    with pytest.raises(DatabaseError):
        export.export(by=AUDITOR, filters=Filters(), form="jsonl")


def test_other_formats_are_refused() -> None:
    with pytest.raises(Invalid) as caught:
        export.export(by=AUDITOR, filters=Filters(), form="xlsx")
    assert "format" in caught.value.fields
    assert AuditEvent.objects.count() == 0


def test_the_script_of_the_documentation_verifies_an_export(ten_events: None, settings) -> None:
    page = (settings.BASE_DIR / "docs" / "audit.md").read_text()
    script = page.partition("```python\n")[2].partition("```")[0]
    sent = "".join(jsonl_lines(events(Filters())))

    def verify(text: str) -> int:
        return subprocess.run([sys.executable, "-c", script], input=text.encode(), capture_output=True).returncode

    assert verify(sent) == 0
    assert verify(sent.replace("number 3", "number 0")) == 1
