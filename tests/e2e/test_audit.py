"""The trail as an auditor reads, narrows, exports and verifies it."""

from __future__ import annotations

import csv
import json
import re

from playwright.sync_api import expect

from portal.audit.models import AuditEvent
from tests.factories import grant_at_status, request_at_status


def test_read_narrowed_exported_and_verified(airflow, enter, tmp_path):
    request_at_status("denied", by="colleague")
    grant = grant_at_status("ended", by="employee", reason="=HYPERLINK(1)")
    auditor = enter("auditor")
    auditor.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Audit trail").click()
    trail = auditor.get_by_role("region", name=re.compile("All events"))
    expect(trail).to_contain_text("lead")

    search = auditor.get_by_role("textbox", name="Words in the trail")
    search.fill(grant.request.ref)
    search.press("Enter")
    trail = auditor.get_by_role("region", name="Matching events")
    expect(trail).to_contain_text("employee")
    expect(trail).not_to_contain_text("colleague")

    for form, read in (("CSV", _rows_of_csv), ("JSONL", _rows_of_jsonl)):
        with auditor.expect_download() as started:
            auditor.get_by_role("link", name=form, exact=True).click()
        file = tmp_path / started.value.suggested_filename
        started.value.save_as(file)
        text = file.read_text()
        assert not re.search(r'(^|,)"?=HYPERLINK', text, re.MULTILINE), "a spreadsheet would take this for a formula"
        seqs = read(text)
        shown = AuditEvent.objects.filter(seq__in=seqs)
        assert seqs and {event.request for event in shown} <= {grant.request.ref, ""}

    auditor.get_by_role("button", name="Verify the trail").click()
    expect(auditor.get_by_text(re.compile(r"unbroken: \d+ events verified"))).to_be_visible()
    verbs = set(AuditEvent.objects.values_list("verb", flat=True))
    assert {"audit.exported", "audit.verified"} <= verbs


def _rows_of_csv(text: str) -> list[int]:
    return [int(row["seq"]) for row in csv.DictReader(line for line in text.lstrip("\ufeff").splitlines(keepends=True))]


def _rows_of_jsonl(text: str) -> list[int]:
    return [json.loads(line)["event"]["seq"] for line in text.splitlines()]


def test_who_may_not_read_it_is_told_so_and_finds_no_way_there(catalogue, enter):
    employee = enter("employee", "/audit")
    expect(employee.get_by_role("main")).to_contain_text("auditors and admins only")
    expect(employee.get_by_role("link", name="Audit trail")).to_have_count(0)
