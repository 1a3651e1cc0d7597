from __future__ import annotations

import pytest

from portal.dags.models import Permit, Run, RunRequest
from tests.api.conftest import refused
from tests.factories import permit, read_dag

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("airflow")]
ASKED = {
    "dag": "demo/payroll_close",
    "bounds": {"month": {"enum": ["2026-11"]}},
    "runs": 2,
    "duration": "7d",
    "reason": "month-end close",
}
RUNS = "/dags/demo/payroll_close/runs"


def test_ask_approve_and_use(as_) -> None:
    read_dag("payroll_close")
    answer = as_("employee").post("/requests", ASKED)
    assert answer.status_code == 201
    told = answer.json()
    assert (told["kind"], told["dag"], told["bounds"], told["runs"]) == ("permit", ASKED["dag"], ASKED["bounds"], 2)
    assert (told["duration"], told["entitlement"], told["permit"]) == ("P7D", None, None)
    approved = as_("lead").post(f"/requests/{told['id']}/approve").json()
    row = Permit.objects.get()
    assert (approved["status"], approved["permit"]) == ("approved", row.ref)
    run = as_("employee").post(RUNS, {"conf": {"month": "2026-11"}})
    assert (run.status_code, run.json()["permit"]) == (201, row.ref)
    [listed] = as_("employee").get("/permits").json()["items"]
    assert {name: listed[name] for name in ("id", "status", "dag", "holder", "bounds", "runs", "used")} == {
        "id": row.ref,
        "status": "active",
        "dag": "demo/payroll_close",
        "holder": "employee",
        "bounds": ASKED["bounds"],
        "runs": 2,
        "used": 1,
    }
    assert as_("colleague").get("/permits").json()["items"] == []


def test_outside_is_refused_and_with_a_reason_it_is_asked_for(as_) -> None:
    permit()
    body = {"conf": {"month": "2026-10"}}
    refused(as_("employee").post(RUNS, body), 403, "outside_permit")
    assert not Run.objects.exists()
    assert as_("employee").post(RUNS, {**body, "reason": "a correction"}).status_code == 202
    assert RunRequest.objects.get().conf == body["conf"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"bounds": {"nope": {"enum": [1]}}}, ["bounds"]),
        ({"runs": None}, ["runs"]),
        ({"runs": 0}, ["runs"]),
        ({"runs": 0, "duration": "91d", "bounds": {"nope": {"enum": [1]}}}, ["bounds", "duration", "runs"]),
        ({"entitlement": "demo/role/User"}, ["entitlement"]),
        ({"beneficiary": "lead", "starts_at": "2030-01-01T00:00:00Z"}, ["beneficiary", "starts_at"]),
        ({"dag": None}, ["entitlement"]),
        ({"dag": "demo/nope", "runs": None, "reason": ""}, ["dag", "reason", "runs"]),
    ],
)
def test_what_cannot_be_asked_for(as_, body, fields) -> None:
    read_dag("payroll_close")
    refused(as_("employee").post("/requests", {**ASKED, **body}), 422, "invalid", *fields)


def test_a_dag_that_one_may_not_see_is_not_told_from_one_that_does_not_exist(as_) -> None:
    read_dag("payroll_close")
    words = [
        refused(as_("stranger").post("/requests", {**ASKED, "dag": name}), 422, "invalid", "dag")["fields"]["dag"]
        for name in ("demo/payroll_close", "demo/nope")
    ]
    assert words[0].replace("payroll_close", "nope") == words[1]


def test_revoke(as_) -> None:
    row = permit()
    refused(as_("lead").post(f"/permits/{row.ref}/revoke"), 422, "invalid", "reason")
    refused(as_("colleague").post(f"/permits/{row.ref}/revoke", {"reason": "x"}), 404, "not_found")
    told = as_("lead").post(f"/permits/{row.ref}/revoke", {"reason": "enough"}).json()
    assert (told["status"], told["ended_by"], told["end_comment"]) == ("revoked", "lead", "enough")
    refused(as_("employee").post(f"/permits/{row.ref}/revoke"), 409, "conflict")
