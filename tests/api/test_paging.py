from __future__ import annotations

import base64
import json

import pytest

from portal.access.models import AccessRequest
from portal.core.paging import write_cursor
from tests.api.conftest import refused
from tests.factories import request_at_status

pytestmark = pytest.mark.django_db


@pytest.fixture
def twelve(catalogue) -> list[str]:
    """Twelve requests, some made at the same moment; their ids, the newest first."""
    for _ in range(4):
        for name in ("employee", "colleague", "lead"):
            request_at_status("withdrawn", by=name, entitlement="demo/role/User")
    pks = list(AccessRequest.objects.order_by("pk").values_list("pk", flat=True))
    same = AccessRequest.objects.get(pk=pks[4]).created_at
    AccessRequest.objects.filter(pk__in=pks[4:8]).update(created_at=same)
    return [f"REQ-{pk}" for pk in sorted(pks, reverse=True)]


def pages(program, path: str, **params: object) -> list[list[str]]:
    found, cursor = [], None
    while True:
        told = program.get(path, **params, **({"cursor": cursor} if cursor else {})).json()
        found.append([item.get("id") or item["name"] for item in told["items"]])
        cursor = told["next"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 5, 11, 12, 13])
def test_every_row_once_and_in_order(as_, twelve: list[str], limit: int) -> None:
    found = pages(as_("auditor"), "/requests", limit=limit)
    assert [id for page in found for id in page] == twelve
    assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
    assert found[-1], "a full last page is not followed by an empty one"


def test_rows_added_meanwhile_shift_nothing(as_, twelve: list[str]) -> None:
    program = as_("auditor")
    first = program.get("/requests", limit=5).json()
    request_at_status("pending", by="employee", entitlement="demo/role/User")
    second = program.get("/requests", limit=5, cursor=first["next"]).json()
    assert [item["id"] for item in second["items"]] == twelve[5:10]


def test_the_oldest_first_where_decisions_wait(as_, catalogue) -> None:
    asked = [
        request_at_status("pending", by=name, entitlement=key).ref
        for name in ("employee", "colleague")
        for key in ("demo/role/User", "demo/role/Op")
    ]
    assert pages(as_("lead"), "/requests", limit=3, decidable="true") == [asked[:3], asked[3:]]


@pytest.mark.parametrize("path", ["/entitlements", "/dags", "/deployments"])
def test_lists_by_name(as_, path: str) -> None:
    complete = [item.get("id") or item["name"] for item in as_("colleague").get(path).json()["items"]]
    assert complete == sorted(complete)
    assert [id for page in pages(as_("colleague"), path, limit=2) for id in page] == complete


def raw(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


BAD = {
    "nonsense": "nonsense",
    "no base64": "***",
    "no ascii": "é",
    "of another list": write_cursor("grants-", "2026-11-21T09:00:00+00:00", 5),
    "of the list the other way round": write_cursor("requests", "2026-11-21T09:00:00+00:00", 5),
    "no list": raw({"a": 1}),
    "too short": raw(["requests-"]),
    "too long": raw(["requests-", "2026-11-21T09:00:00+00:00", 5, 6]),
    "other types": raw(["requests-", 5, "2026-11-21T09:00:00+00:00"]),
    "a truth for a number": raw(["requests-", "2026-11-21T09:00:00+00:00", True]),
    "no time": raw(["requests-", "yesterday", 5]),
    "no zone": raw(["requests-", "2026-11-21T09:00:00", 5]),
    "no such day": raw(["requests-", "2026-02-30T09:00:00+00:00", 5]),
    "number too large": raw(["requests-", "2026-11-21T09:00:00+00:00", 10**30]),
    "deep": base64.urlsafe_b64encode(b"[" * 5000).decode().rstrip("="),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_cursors(as_, what: str) -> None:
    refused(as_("auditor").get("/requests", cursor=BAD[what]), 422, "invalid", "cursor")


@pytest.mark.parametrize("path", ["/grants", "/audit", "/dags", "/entitlements", "/deployments"])
def test_a_cursor_belongs_to_its_list(as_, path: str) -> None:
    cursor = write_cursor("requests-", "2026-11-21T09:00:00+00:00", 5)
    refused(as_("auditor").get(path, cursor=cursor), 422, "invalid", "cursor")


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "1.5", ""])
def test_limits(as_, limit: str) -> None:
    refused(as_("auditor").get("/requests", limit=limit), 422, "invalid", "limit")
