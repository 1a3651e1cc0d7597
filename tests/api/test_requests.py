from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from portal.access.models import AccessRequest, Grant
from portal.approvals.models import Comment
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.operations.models import Operation
from tests.api.conftest import refused
from tests.factories import grant_at_status, request_at_status

pytestmark = pytest.mark.django_db
ASKED = {"entitlement": "demo/role/User", "duration": "PT8H", "reason": "month-end close"}


@pytest.fixture
def asked(catalogue) -> AccessRequest:
    """REQ-?, which employee asked for and the leads decide."""
    return request_at_status("pending", by="employee", entitlement="demo/role/User")


# --- asking ----------------------------------------------------------------------------------------------------------
def test_ask(as_) -> None:
    answer = as_("employee").post("/requests", ASKED)
    assert answer.status_code == 201
    told, row = answer.json(), AccessRequest.objects.get()
    assert {name: told[name] for name in told if not name.endswith("_at")} == {
        "id": row.ref,
        "kind": "access",
        "status": "pending",
        "round": 1,
        "entitlement": "demo/role/User",
        "requester": "employee",
        "beneficiary": "employee",
        "duration": "PT8H",
        "reason": "month-end close",
        "ticket": None,
        "policy": "one-lead",
        "policy_version": 1,
        "break_glass": False,
        "stages": [{"approvers": ["lead", "lead2"], "quorum": 1, "status": "open"}],
        "decisions": [],
        "comments": [],
        "grant": None,
        **dict.fromkeys(("variable", "value", "operation")),
        **dict.fromkeys(
            ("dag", "conf", "conf_sha256", "note", "start", "start_problem", "run", "bounds", "runs", "permit")
        ),
        "url": f"http://127.0.0.1:8000/requests/{row.ref}",
    }
    assert told["created_at"] == row.created_at.isoformat().replace("+00:00", "Z")
    assert (told["starts_at"], told["closed_at"], told["start_at"]) == (None, None, None)
    event = AuditEvent.objects.get(verb=Verb.REQUEST_SUBMITTED)
    assert (event.actor, event.source) == ("employee", "127.0.0.1")
    assert event.token.startswith("gh_")


@pytest.mark.parametrize("duration, iso", [("8h", "PT8H"), ("P1DT12H", "P1DT12H"), ("90m", "PT1H30M"), ("3d", "P3D")])
def test_durations_may_be_written_either_way(as_, duration: str, iso: str) -> None:
    assert as_("employee").post("/requests", ASKED | {"duration": duration}).json()["duration"] == iso


def test_ask_for_a_colleague_later_with_a_ticket(as_) -> None:
    starts = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    body = {
        "entitlement": "demo/role/Op", "duration": "2h", "reason": "release", "ticket": "OPS-7",
        "starts_at": starts.astimezone(timezone.get_fixed_timezone(540)).isoformat(), "beneficiary": "Colleague",
    }  # fmt: skip
    told = as_("employee").post("/requests", body).json()
    assert (told["requester"], told["beneficiary"], told["ticket"]) == ("employee", "colleague", "OPS-7")
    assert told["starts_at"] == starts.isoformat().replace("+00:00", "Z")
    assert [stage["status"] for stage in told["stages"]] == ["open", "waiting"]


def test_what_is_granted_at_once_says_so(as_) -> None:
    told = as_("employee").post("/requests", ASKED | {"entitlement": "demo/role/Viewer"}).json()
    assert (told["status"], told["stages"], told["grant"]) == ("approved", [], Grant.objects.get().ref)


@pytest.mark.parametrize(
    "change, fields",
    [
        ({"duration": "soon"}, ["duration"]),
        ({"duration": 8}, ["duration"]),
        ({"duration": "31d"}, ["duration"]),
        ({"duration": "PT1S"}, ["duration"]),
        ({"reason": " "}, ["reason"]),
        ({"reason": 5}, ["reason"]),
        ({"reason": "a\u202eb"}, ["reason"]),
        ({"reason": "x" * 5000}, ["reason"]),
        ({"entitlement": "demo/role/Nothing"}, ["entitlement"]),
        ({"beneficiary": "nobody"}, ["beneficiary"]),
        ({"entitlement": "x", "beneficiary": "nobody"}, ["beneficiary", "entitlement"]),
        ({"entitlement": "demo/role/Op"}, ["ticket"]),
        ({"entitlement": "demo/role/Op", "ticket": "7"}, ["ticket"]),
        ({"starts_at": "tomorrow"}, ["starts_at"]),
        ({"starts_at": "2026-11-21T09:00:00"}, ["starts_at"]),
        ({"starts_at": "2026-02-30T09:00:00Z"}, ["starts_at"]),
        ({"starts_at": 1800000000}, ["starts_at"]),
        ({"starts_at": "2020-01-01T00:00:00Z"}, ["starts_at"]),
        ({"approvers": ["employee"], "status": "approved"}, ["approvers", "status"]),
        ({"reason": None, "duration": None}, ["duration", "reason"]),
        (
            {"entitlement": "x", "beneficiary": "nobody", "reason": " ", "duration": "x"},
            ["beneficiary", "duration", "entitlement", "reason"],
        ),
        ({"runs": 3, "bounds": {"month": {"enum": [1]}}}, ["bounds", "runs"]),
    ],
)
def test_what_cannot_be_asked_for(as_, change: dict, fields: list[str]) -> None:
    problem = as_("employee").post("/requests", ASKED | change)
    refused(problem, 422, "invalid", *fields)
    assert AccessRequest.objects.count() == 0


def test_every_missing_field_is_named(as_) -> None:
    problem = refused(as_("employee").post("/requests"), 422, "invalid", "entitlement", "duration", "reason")
    assert problem["fields"]["reason"] == "This is required."
    assert problem["fields"]["entitlement"] == "Name an entitlement, or a dag for a permit."
    asked = {name: value for name, value in ASKED.items() if name != "entitlement"}
    problem = refused(as_("employee").post("/requests", asked), 422, "invalid", "entitlement")
    assert problem["fields"]["entitlement"] == "Name an entitlement, or a dag for a permit."


def test_who_may_not_ask(as_) -> None:
    refused(as_("stranger").post("/requests", ASKED), 403, "not_eligible")
    refused(as_("employee").post("/requests", ASKED | {"beneficiary": "stranger"}), 403, "not_eligible")
    assert AuditEvent.objects.filter(verb=Verb.REQUEST_SUBMIT_REFUSED).count() == 2


def test_asking_twice(as_, asked: AccessRequest) -> None:
    problem = refused(as_("employee").post("/requests", ASKED), 409, "already_open")
    assert asked.ref in problem["detail"]


# --- looking ---------------------------------------------------------------------------------------------------------
def test_read_with_timeline(as_, asked: AccessRequest) -> None:
    told = as_("lead").get(f"/requests/{asked.ref}").json()
    assert told["id"] == asked.ref
    assert [step["state"] for step in told["timeline"]] == ["done", "now", "future", "future"]
    assert told["timeline"][0] == {
        "title": "Asked", "state": "done", "at": told["created_at"], "expected": None, "by": "employee",
        "note": "month-end close",
    }  # fmt: skip
    assert as_("lead").get(f"/requests/{asked.pk}").json()["id"] == asked.ref


@pytest.mark.parametrize("name", ["employee", "lead", "lead2", "auditor", "admin"])
def test_who_sees_it(as_, asked: AccessRequest, name: str) -> None:
    assert as_(name).get(f"/requests/{asked.ref}").status_code == 200
    assert [told["id"] for told in as_(name).get("/requests").json()["items"]] == [asked.ref]


@pytest.mark.parametrize("name", ["colleague", "security", "stranger"])
def test_who_does_not_learn_that_it_is_there(as_, asked: AccessRequest, name: str) -> None:
    there = refused(as_(name).get(f"/requests/{asked.ref}"), 404, "not_found")
    nowhere = refused(as_(name).get("/requests/REQ-999"), 404, "not_found")
    assert there["detail"].replace(asked.ref, "REQ-999") == nowhere["detail"]
    assert as_(name).get("/requests").json()["items"] == []
    for what in ("approve", "deny", "withdraw"):
        scope = "request" if what == "withdraw" else "decide"
        if scope in as_(name).get("/me").json()["scopes"]:
            body = {"comment": "no"} if what == "deny" else {}
            refused(as_(name).post(f"/requests/{asked.ref}/{what}", body), 404, "not_found")
    assert AccessRequest.objects.get().status == "pending"


@pytest.mark.parametrize("id", ["GR-1", "REQ-", "REQ-x", "-1", "1e3", "9" * 30, "REQ-٣", "REQ-1;DROP"])
def test_what_is_no_reference(as_, id: str) -> None:
    refused(as_("employee").get(f"/requests/{id}"), 404, "not_found")


def test_filters(as_, catalogue) -> None:
    user = request_at_status("pending", by="employee", entitlement="demo/role/User", reason="month-end close")
    op = request_at_status("denied", by="employee", entitlement="demo/role/Op", reason="release")
    other = request_at_status("withdrawn", by="colleague", entitlement="demo/role/User", reason="look")
    program = as_("auditor")

    def found(**params: object) -> list[str]:
        return [told["id"] for told in program.get("/requests", **params).json()["items"]]

    assert found() == [other.ref, op.ref, user.ref]
    assert found(status="denied") == [op.ref]
    assert found(requester="Employee") == [op.ref, user.ref]
    assert found(entitlement="demo/role/User") == [other.ref, user.ref]
    assert found(q="CLOSE month") == [user.ref]
    assert found(q="operator") == [op.ref]
    assert found(requester="employee", status="pending") == [user.ref]
    assert found(q="nothing of this") == []
    refused(program.get("/requests", status="open"), 422, "invalid", "status")
    refused(program.get("/requests", decidable="perhaps"), 422, "invalid", "decidable")


def test_what_waits_for_me(as_, catalogue) -> None:
    first = request_at_status("pending", by="employee", entitlement="demo/role/User")
    second = request_at_status("pending", by="colleague", entitlement="demo/role/User")
    request_at_status("pending", by="lead", entitlement="demo/role/User")  # lead's own: somebody else decides it

    def waiting(name: str) -> list[str]:
        return [told["id"] for told in as_(name).get("/requests", decidable="true").json()["items"]]

    assert waiting("lead") == [first.ref, second.ref], "the oldest first"
    assert waiting("employee") == []
    assert waiting("admin") == [], "seeing everything is not deciding"
    assert as_("lead").get("/requests", decidable="true", requester="colleague").json()["items"][0]["id"] == second.ref


def test_a_list_asks_no_more_for_more_rows(as_, catalogue) -> None:
    program = as_("auditor")

    def ask() -> None:
        for name in ("employee", "colleague", "lead"):
            request_at_status("approved", by=name, entitlement="demo/role/User")

    request_at_status("approved", by="employee", entitlement="demo/role/Op")
    program.get("/requests")
    with CaptureQueriesContext(connection) as few:
        program.get("/requests")
    ask()
    with CaptureQueriesContext(connection) as many:
        assert len(program.get("/requests").json()["items"]) == 4
    assert len(many) == len(few)


# --- deciding --------------------------------------------------------------------------------------------------------
def test_approve(as_, asked: AccessRequest) -> None:
    told = as_("lead").post(f"/requests/{asked.ref}/approve", {"comment": "fine", "duration": "2h"}).json()
    grant = Grant.objects.get()
    assert (told["status"], told["grant"], told["stages"][0]["status"]) == ("approved", grant.ref, "done")
    (made,) = told["decisions"]
    assert made | {"at": ""} == {
        "by": "lead", "on_behalf_of": None, "round": 1, "outcome": "approve", "comment": "fine",
        "duration": "PT2H", "at": "",
    }  # fmt: skip
    assert grant.duration == timedelta(hours=2)
    assert Operation.objects.get().subject == grant.ref
    assert AuditEvent.objects.get(verb=Verb.REQUEST_APPROVED).token.startswith("gh_")


def test_approve_without_a_body(as_, asked: AccessRequest) -> None:
    assert as_("lead").post(f"/requests/{asked.ref}/approve").json()["status"] == "approved"


def test_deny(as_, asked: AccessRequest) -> None:
    told = as_("lead").post(f"/requests/{asked.ref}/deny", {"comment": "not this week"}).json()
    assert (told["status"], told["decisions"][0]["comment"]) == ("denied", "not this week")
    assert told["closed_at"] is not None


def test_withdraw(as_, asked: AccessRequest) -> None:
    assert as_("employee").post(f"/requests/{asked.ref}/withdraw").json()["status"] == "withdrawn"


def test_return_and_resubmit(as_, asked: AccessRequest) -> None:
    told = as_("lead").post(f"/requests/{asked.ref}/return", {"comment": "shorter, please"}).json()
    assert (told["status"], told["round"], told["closed_at"]) == ("returned", 1, None)
    assert (told["decisions"][0]["outcome"], told["decisions"][0]["round"]) == ("return", 1)
    assert [row["id"] for row in as_("employee").get("/requests", status="returned").json()["items"]] == [asked.ref]
    assert as_("lead2").get("/requests", decidable="true").json()["items"] == []
    refused(as_("lead2").post(f"/requests/{asked.ref}/resubmit"), 403, "not_yours")
    refused(as_("employee").post(f"/requests/{asked.ref}/resubmit", {"duration": "99d"}), 422, "invalid", "duration")
    told = as_("employee").post(f"/requests/{asked.ref}/resubmit", {"duration": "PT1H"}).json()
    assert (told["status"], told["round"], told["duration"], told["reason"]) == ("pending", 2, "PT1H", asked.reason)
    assert [stage["status"] for stage in told["stages"]] == ["open"]
    refused(as_("employee").post(f"/requests/{asked.ref}/resubmit"), 409, "conflict")
    for seen in ({}, {"round": 1}, {"round": 0}, {"round": 10**30}):
        refused(as_("lead2").post(f"/requests/{asked.ref}/approve", seen), 409, "conflict")
    assert as_("lead2").post(f"/requests/{asked.ref}/approve", {"round": 2}).json()["status"] == "approved"


def test_comments(as_, asked: AccessRequest) -> None:
    as_("employee").post(f"/requests/{asked.ref}/comments", {"text": "for the close"})
    told = as_("lead").post(f"/requests/{asked.ref}/comments", {"text": "hm", "for": "approvers"}).json()
    assert [(one["by"], one["for"], one["text"]) for one in told["comments"]] == [
        ("employee", "all", "for the close"), ("lead", "approvers", "hm"),
    ]  # fmt: skip
    assert len(as_("employee").get(f"/requests/{asked.ref}").json()["comments"]) == 1
    assert len(as_("auditor").get(f"/requests/{asked.ref}").json()["comments"]) == 2
    path = f"/requests/{asked.ref}/comments"
    refused(as_("employee").post(path, {"text": "hm", "for": "approvers"}), 403, "not_an_approver")
    refused(as_("auditor").post(path, {"text": "hm"}), 403, "not_involved")
    refused(as_("lead").post(path, {"text": "hm", "for": "me"}), 422, "invalid", "for")
    refused(as_("lead").post(path, {"text": " "}), 422, "invalid", "text")
    assert Comment.objects.count() == 2


def test_nobody_decides_their_own(as_, catalogue) -> None:
    mine = request_at_status("pending", by="lead", entitlement="demo/role/User")
    for what, body in (("approve", {}), ("deny", {"comment": "no"}), ("return", {"comment": "no"})):
        refused(as_("lead").post(f"/requests/{mine.ref}/{what}", body), 403, "own_request")
    for_me = request_at_status("pending", by="employee", beneficiary="lead2", entitlement="demo/role/Op")
    refused(as_("lead2").post(f"/requests/{for_me.ref}/approve"), 403, "own_request")
    assert AccessRequest.objects.filter(status="pending").count() == 2
    assert AuditEvent.objects.filter(outcome="refused", token__startswith="gh_").count() == 4


def test_the_step_before_is_decided_by_others(as_, catalogue) -> None:
    two_steps = request_at_status("pending", by="employee", entitlement="demo/role/Op")
    refused(as_("security").post(f"/requests/{two_steps.ref}/approve"), 403, "not_an_approver")


def test_only_who_asked_withdraws(as_, asked: AccessRequest) -> None:
    refused(as_("lead").post(f"/requests/{asked.ref}/withdraw"), 403, "not_yours")


def test_whoever_is_second_hears_who_was_first(as_, asked: AccessRequest) -> None:
    as_("lead").post(f"/requests/{asked.ref}/approve")
    for path, body in ((f"/requests/{asked.ref}/approve", {}), (f"/requests/{asked.ref}/deny", {"comment": "no"})):
        problem = refused(as_("lead2").post(path, body), 409, "conflict")
        assert problem["detail"].startswith(f"lead approved {asked.ref}")
    refused(as_("employee").post(f"/requests/{asked.ref}/withdraw"), 409, "conflict")


def test_decisions_need_what_they_need(as_, asked: AccessRequest) -> None:
    refused(as_("lead").post(f"/requests/{asked.ref}/deny"), 422, "invalid", "comment")
    refused(as_("lead").post(f"/requests/{asked.ref}/deny", {"comment": "  "}), 422, "invalid", "comment")
    refused(as_("lead").post(f"/requests/{asked.ref}/approve", {"duration": "9h"}), 422, "invalid", "duration")
    refused(as_("lead").post(f"/requests/{asked.ref}/approve", {"duration": "x"}), 422, "invalid", "duration")
    refused(as_("lead").post(f"/requests/{asked.ref}/approve", {"by": "lead2"}), 422, "invalid", "by")
    refused(as_("employee").post(f"/requests/{asked.ref}/withdraw", {"x": 1}), 422, "invalid", "x")
    assert AccessRequest.objects.get().status == "pending"


@pytest.mark.django_db(transaction=True)
def test_nothing_is_decided_without_the_trail(as_, asked: AccessRequest, broken_trail_after) -> None:
    program = as_("lead")
    broken_trail_after()
    refused(program.post(f"/requests/{asked.ref}/approve"), 500, "internal_error")
    assert (AccessRequest.objects.get().status, Grant.objects.count()) == ("pending", 0)


def test_only_an_active_grant_is_held(as_, airflow) -> None:
    def held() -> str | None:
        offered = {item["id"]: item for item in as_("employee").get("/entitlements").json()["items"]}
        return offered["demo/role/User"]["held"]

    grant = grant_at_status("scheduled")
    assert held() is None
    active = grant_at_status("active")
    assert (held(), active.pk > grant.pk) == (active.ref, True)


def test_me_entitlements_and_deployments(as_, airflow, cast: dict[str, User]) -> None:
    me = as_("lead").get("/me").json()
    assert (me["username"], me["groups"], me["roles"]) == ("lead", ["data", "data-leads"], ["approver", "employee"])
    assert me["scopes"] == ["read", "request", "decide", "operate"]
    assert as_("lead", "read").get("/me").json()["scopes"] == ["read"]
    (told,) = as_("employee").get("/deployments").json()["items"]
    assert (told["name"], told["api"], told["status"]) == ("demo", "v2", "up")
    assert told["checked_at"].endswith("Z")

    offered = {item["id"]: item for item in as_("employee").get("/entitlements").json()["items"]}
    op, admin = offered["demo/role/Op"], offered["demo/role/Admin"]
    assert (op["risk"], op["max_duration"], op["requestable"], op["why_not"]) == ("high", "PT8H", True, None)
    assert op["approvers"] == [["lead", "lead2"], ["security"]]
    assert (admin["requestable"], admin["reason"]) == (False, "not_eligible")
    assert "data-leads" in admin["why_not"]
    as_("employee").post("/requests", ASKED)
    user = {i["id"]: i for i in as_("employee").get("/entitlements").json()["items"]}["demo/role/User"]
    assert (user["requestable"], user["reason"], user["open_request"]) == (
        False, "already_open", AccessRequest.objects.get().ref,
    )  # fmt: skip

    def found(**params: str) -> set[str]:
        return {item["id"] for item in as_("employee").get("/entitlements", **params).json()["items"]}

    assert found(q="sales see") == {"demo/dag/sales_report/view"}
    assert found(deployment="legacy") == set()
