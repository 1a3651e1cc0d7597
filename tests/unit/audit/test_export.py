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
from portal.audit.export import csv_lines, fitting, inert, jsonl_lines
from portal.audit.models import AuditEvent
from portal.audit.queries import Filters, events
from portal.audit.verbs import Verb
from portal.core.errors import Invalid
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
        "request": "REQ-3", "grant": "", "operation": "", "sentence": "lead approved REQ-3: “number 3”",
        "detail": '{"comment": "number 3"}', "prev": event.prev, "hash": event.chain, "leaf": event.leaf,
        "about": "REQ-3\ndeployment:demo",
    }  # fmt: skip
    assert rows[2]["at"] == json.loads(event.payload)["at"]


def test_csv_of_nothing_is_its_header() -> None:
    assert "".join(csv_lines(events(Filters()))).startswith('"seq","at","actor",')
    assert table(csv_lines(events(Filters()))) == []


@pytest.mark.parametrize("first", list("=+-@\t\r\n＝＋－＠"))
def test_no_cell_begins_a_formula(first: str) -> None:
    happen(f"{first}cmd|'/C calc'!A0", by=f"{first}lead", about=[f'deployment:{first}a","b'])
    (row,) = table(csv_lines(events(Filters())))
    assert row["target"] == f"'{first}cmd|'/C calc'!A0"
    assert row["actor"] == f"'{first}lead"
    assert row["deployment"] == f'\'{first}a","b'
    assert not any(value.startswith(first) for value in row.values())


def test_only_what_begins_like_a_formula_is_changed() -> None:
    for kept in ("a=b", "", "'=x", "a - b", "2026-11-21", "see; then go", "1+1=2", '{"a": -1}'):
        assert inert(kept) == kept
    assert inert("\0x") == "'\0x"


@pytest.mark.parametrize("separator", [";", "\t", "|", "\n", "\r\n"])
@pytest.mark.parametrize("formula", ["=1+1", "+1", "-1", "@SUM(1)", "＝1", '"=1"', ' "=1', '=HYPERLINK("x")'])
def test_no_cell_begins_a_formula_where_another_separator_is_expected(separator: str, formula: str) -> None:
    """Read with a comma and with another separator: spreadsheets take the one of their country."""
    happen(f"x{separator}{formula}", by=f"lead{separator}{formula}")
    text = "".join(csv_lines(events(Filters())))
    for delimiter in {",", separator} & {",", ";", "\t", "|"}:
        cells = [cell for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) for cell in row]
        assert any("1" in cell for cell in cells)
        assert not [cell for cell in cells if cell.lstrip().startswith(tuple("=+-@＝"))]


def test_every_text_is_in_quotes_and_the_number_is_not(ten_events: None) -> None:
    line = "".join(csv_lines(events(Filters()))).split("\r\n")[1]
    assert line.startswith('1,"')
    assert line.count('""') >= 1


@pytest.mark.parametrize("letter, units", [("x", 1), ("가", 1), ("🔒", 2)])
def test_a_text_too_long_for_a_cell_is_cut_with_a_mark(letter: str, units: int) -> None:
    most = export.LONGEST_CELL // units
    assert fitting(letter * most, 7) == letter * most
    cut = fitting(letter * (most + 1), 7)
    assert export.LONGEST_CELL - 1 <= len(cut.encode("utf-16-le")) // 2 <= export.LONGEST_CELL
    assert cut.endswith(f"… [cut: {most + 1} characters in all; the JSONL export has the complete event 7]")


def test_no_cell_is_too_long_and_jsonl_is_complete() -> None:
    happen(detail={"comment": "가" * 40_000, "conf": "=" * 70_000})
    csv.field_size_limit(10**6)
    (row,) = table(csv_lines(events(Filters())))
    assert max(len(cell) for cell in row.values()) == export.LONGEST_CELL
    assert "[cut: " in row["detail"] and "[cut: " in row["sentence"] and len(row["hash"]) == 64
    (line,) = jsonl_lines(events(Filters()))
    assert json.loads(line)["event"]["detail"]["comment"] == "가" * 40_000


def test_csv_begins_with_a_byte_order_mark_unless_it_is_left_out(ten_events: None) -> None:
    def first(**options: object) -> str:
        return next(export.export(by=AUDITOR, filters=Filters(), **options).chunks)[:2]

    assert first(form="csv") == "\ufeff"
    assert first(form="csv", bom=False) == '"s'
    assert first(form="jsonl") == '{"'


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
        tail = ',"hash":"{hash}","leaf":"{leaf}","prev":"{prev}"}}'.format_map(told).encode()
        payload = line.removeprefix(b'{"event":').removesuffix(tail)
        assert payload == AuditEvent.objects.get(seq=seq).payload.encode()
        assert hashlib.sha256(b"\0" + payload).hexdigest() == told["leaf"]
        assert hashlib.sha256(bytes.fromhex(told["prev"]) + bytes.fromhex(told["leaf"])).hexdigest() == told["hash"]
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
    assert event.detail == {
        "format": "csv", "filter": {"target": "REQ-4", "verb": "request.*"}, "rows": 1, "up_to": 10,
    }  # fmt: skip
    assert next(made.chunks) == "\ufeff"
    assert made.rows == len(table(made.chunks)) == 1
    everything = export.export(by=AUDITOR, filters=Filters(), form="jsonl")
    happen("while it is being downloaded")
    assert everything.rows == "".join(everything.chunks).count("\n") == 11


@pytest.mark.django_db(transaction=True)
def test_no_export_without_its_event(broken_trail: None) -> None:
    with pytest.raises(DatabaseError):
        export.export(by=AUDITOR, filters=Filters(), form="jsonl")


def test_a_token_that_was_searched_for_is_not_recorded() -> None:
    export.export(by=AUDITOR, filters=Filters(q="gh_abcdefghijkl_" + "s" * 38), form="jsonl")
    assert AuditEvent.objects.get().detail["filter"] == {"q": "gh_abcdefghijkl_***"}


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
