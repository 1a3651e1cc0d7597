from __future__ import annotations

import csv
import hashlib
import io
import json

import pytest

from accounts.models import User
from portal.audit.models import AuditEvent
from portal.audit.record import recording
from portal.audit.verbs import Verb
from tests import trail
from tests.api.conftest import refused
from tests.factories import request_at_status

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(as_, catalogue):
    """The auditor's program, and a story to read: employee asked, lead denied."""
    request_at_status("denied", by="employee", entitlement="demo/role/User", reason="month-end close")
    return as_("auditor")


def text(response) -> str:
    return b"".join(response.streaming_content).decode()


@pytest.mark.parametrize("strange", trail.STRANGE)
def test_an_event_that_cannot_be_read_is_told_all_the_same(auditor, strange) -> None:
    event = AuditEvent.objects.get(verb=Verb.REQUEST_DENIED)
    trail.forge(event.seq, **trail.STRANGE[strange])
    answer = auditor.get("/audit")
    assert answer.status_code == 200
    assert event.chain in [item["hash"] for item in answer.json()["items"]]
    verified = auditor.get("/audit/verify")
    assert (verified.status_code, verified.json()["ok"]) == (200, False)


def test_a_person_is_found_in_any_spelling(auditor) -> None:
    User.objects.filter(username="employee").update(username="Employee")
    with recording() as said:
        said.add(Verb.SIGNED_IN, by=User.objects.get(username="Employee"), target="Employee")
    (event,) = auditor.get("/audit", about="person:EMPLOYEE", verb=Verb.SIGNED_IN).json()["items"]
    assert event["about"] == ["person:Employee"]
    for name in ("actor", "target", "about"):
        (event,) = auditor.get("/audit", **{name: "EMPLOYEE", "verb": Verb.SIGNED_IN}).json()["items"]
        assert event["actor"] == "Employee"
        lines = text(auditor.get("/audit/export", **{name: "employee", "verb": Verb.SIGNED_IN, "format": "jsonl"}))
        assert [json.loads(line)["event"]["target"] for line in lines.splitlines()] == ["Employee"]


def test_list(auditor) -> None:
    told = auditor.get("/audit", verb="request.denied").json()
    (event,) = told["items"]
    row = AuditEvent.objects.get(verb=Verb.REQUEST_DENIED)
    assert event["at"] == row.at.isoformat().replace("+00:00", "Z")
    assert event | {"at": ""} == {
        "seq": row.seq, "at": "", "actor": "lead", "on_behalf_of": None, "token": None, "source": None,
        "verb": "request.denied", "outcome": "success", "target": row.target, "deployment": "demo",
        "request": row.target, "grant": None, "operation": None,
        "detail": {"entitlement": "demo/role/User", "comment": "not this week", "stage": 1},
        "sentence": f"lead denied {row.target}: “not this week”", "hash": row.chain,
        "about": [row.target, "deployment:demo", "person:employee"],
    }  # fmt: skip
    assert told["next"] is None


def test_filters(auditor) -> None:
    def found(**params: str) -> set[str]:
        return {event["verb"] for event in auditor.get("/audit", **params).json()["items"]}

    assert found(verb="request.*") == {"request.submitted", "request.denied"}
    assert found(actor="employee", q="month-end") == {"request.submitted"}
    assert found(target="REQ-999") == set()
    assert found(about="person:employee", verb="request.*") == {"request.submitted", "request.denied"}
    assert found(about="person:EMPLOYEE", verb="request.*") == {"request.submitted", "request.denied"}
    assert found(about="person:colleague") == set()
    assert found(since="2999-01-01") == set()
    assert found(until="2020-01-01") == set()
    assert found(outcome="refused") == set()


@pytest.mark.parametrize("path", ["/audit", "/audit/export"])
def test_wrong_filters(auditor, path: str) -> None:
    problem = auditor.get(path, verb="request", since="yesterday", outcome="good")
    refused(problem, 422, "invalid", "verb", "since", "outcome")
    refused(auditor.get("/audit/export", format="xlsx"), 422, "invalid", "format")
    assert not AuditEvent.objects.filter(verb=Verb.AUDIT_EXPORTED).exists()


def test_pages_follow_each_other(auditor) -> None:
    seqs, cursor = [], ""
    while cursor is not None:
        told = auditor.get("/audit", limit=2, **({"cursor": cursor} if cursor else {})).json()
        assert len(told["items"]) <= 2
        seqs += [event["seq"] for event in told["items"]]
        cursor = told["next"]
    assert seqs == list(range(AuditEvent.objects.count(), 0, -1))


def test_export_csv(auditor) -> None:
    response = auditor.get("/audit/export", verb="request.*")
    assert response.status_code == 200
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="gatehouse-audit-')
    assert response["Cache-Control"] == "no-store"
    assert response.streaming
    said = text(response)
    assert said.startswith("\ufeff")
    assert not text(auditor.get("/audit/export", verb="request.*", bom="false")).startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(said[1:], newline="")))
    assert [row["verb"] for row in rows] == ["request.submitted", "request.denied"]
    event = AuditEvent.objects.filter(verb=Verb.AUDIT_EXPORTED).last()
    assert (event.actor, event.source) == ("auditor", "127.0.0.1")
    assert json.loads(event.payload)["detail"]["rows"] == 2


def test_export_jsonl_can_be_verified(auditor) -> None:
    response = auditor.get("/audit/export", format="jsonl")
    assert response["Content-Type"] == "application/jsonl; charset=utf-8"
    lines = [json.loads(line) for line in text(response).splitlines()]
    prev = "0" * 64
    for seq, told in enumerate(lines, start=1):
        payload = json.dumps(told["event"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        leaf = hashlib.sha256(b"\0" + payload.encode())
        assert told["leaf"] == leaf.hexdigest()
        assert told["hash"] == hashlib.sha256(bytes.fromhex(prev) + leaf.digest()).hexdigest()
        assert (told["prev"], told["event"]["seq"]) == (prev, seq)
        prev = told["hash"]
    assert len(lines) == AuditEvent.objects.count() - 1, "all but the record of this export"


def test_verify(auditor) -> None:
    told = auditor.get("/audit/verify").json()
    count = AuditEvent.objects.count() - 1
    assert (told["ok"], told["events"], told["head"]["seq"], told["problems"]) == (True, count, count, [])
    with trail.triggers_off():
        AuditEvent.objects.filter(seq=2).update(actor="nobody")
    told = auditor.get("/audit/verify").json()
    assert (told["ok"], told["first_bad"]) == (False, 2)
    assert told["problems"][0] == "The column actor of event 2 does not match its text."
    assert AuditEvent.objects.filter(verb=Verb.AUDIT_VERIFY_FAILED, actor="auditor").count() == 1


@pytest.mark.parametrize("name", ["employee", "lead", "security", "stranger"])
def test_the_trail_is_for_auditors_and_admins(as_, name: str) -> None:
    for path in ("/audit", "/audit/export", "/audit/verify"):
        refused(as_(name).get(path), 403, "scope")
    assert as_("admin").get("/audit").status_code == 200


def test_one_verification_at_a_time(auditor) -> None:
    told = []
    with trail.while_it_is_verified(lambda: told.append(auditor.get("/audit/verify"))):
        assert auditor.get("/audit/verify").json()["ok"] is True
    (problem,) = told
    assert "being verified already" in refused(problem, 409, "conflict")["detail"]
