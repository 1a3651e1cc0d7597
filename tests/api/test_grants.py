from __future__ import annotations

from datetime import timedelta

import pytest

from portal.access.models import Grant
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from tests.api.conftest import refused
from tests.factories import grant_at_status, work_off

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("airflow")]


@pytest.fixture
def held(airflow) -> Grant:
    """employee's active grant, which a lead approved."""
    return grant_at_status("active", by="employee", entitlement="demo/role/User")


def listed(program, **params: object) -> list[str]:
    return [told["id"] for told in program.get("/grants", **params).json()["items"]]


def test_read(as_, held: Grant) -> None:
    told = as_("employee").get(f"/grants/{held.ref}").json()
    assert {name: told[name] for name in told if not name.endswith("_at")} == {
        "id": held.ref,
        "status": "active",
        "entitlement": "demo/role/User",
        "beneficiary": "employee",
        "request": held.request.ref,
        "duration": "PT8H",
        "end_reason": None,
        "end_comment": None,
        "ended_by": None,
        "failure": None,
        "role": "User",
        "airflow_user": "employee",
        "missing_since": None,
        "account_deactivated_since": None,
        "back_since": None,
        "operations": ["OP-1"]
        if len(told["operations"]) == 1 and told["operations"] == ["OP-1"]
        else told["operations"],
    }
    assert told["ends_at"] == (held.verified_at + timedelta(hours=8)).isoformat().replace("+00:00", "Z")
    assert (told["starts_at"], told["ended_at"]) == (None, None)


@pytest.mark.parametrize("name", ["employee", "lead", "lead2", "auditor", "admin"])
def test_who_sees_it(as_, held: Grant, name: str) -> None:
    assert as_(name).get(f"/grants/{held.ref}").status_code == 200
    assert listed(as_(name)) == [held.ref]


@pytest.mark.parametrize("name", ["colleague", "security", "stranger"])
def test_who_does_not_learn_that_it_is_there(as_, held: Grant, name: str) -> None:
    program = as_(name)
    there = refused(program.get(f"/grants/{held.ref}"), 404, "not_found")
    assert there["detail"].replace(held.ref, "GR-999") == program.get("/grants/GR-999").json()["detail"]
    assert listed(program) == []
    refused(program.post(f"/grants/{held.ref}/revoke", {"reason": "x"}), 404, "not_found")
    held.refresh_from_db()
    assert held.status == "active"


def test_everybodys_grants_take_the_scope_audit(as_, held: Grant) -> None:
    own = grant_at_status("active", by="lead2", entitlement="demo/role/Viewer")
    for name in ("auditor", "admin"):
        assert listed(as_(name, "read")) == []
        refused(as_(name, "read").get(f"/grants/{held.ref}"), 404, "not_found")
        assert listed(as_(name, "audit")) == [own.ref, held.ref]
        assert as_(name, "audit").get(f"/grants/{held.ref}").status_code == 200
    assert listed(as_("lead", "read")) == [held.ref], "what one decides about is one's own business"


def test_filters(as_, held: Grant) -> None:
    ended = grant_at_status("ended", by="employee", entitlement="demo/role/Viewer")
    other = grant_at_status("active", by="colleague", entitlement="demo/role/User")
    later = grant_at_status("scheduled", by="employee", entitlement="demo/dag/sales_report/view")
    program = as_("auditor")
    assert listed(program) == [later.ref, other.ref, ended.ref, held.ref]
    assert listed(program, beneficiary="Employee", status="active") == [held.ref]
    assert listed(program, entitlement="demo/role/User") == [other.ref, held.ref]
    assert listed(program, status="ended") == [ended.ref]
    refused(program.get("/grants", status="gone"), 422, "invalid", "status")


def test_who_had_what_on_a_date(as_, held: Grant) -> None:
    ended = grant_at_status("ended", by="employee", entitlement="demo/role/Viewer")
    grant_at_status("scheduled", by="employee", entitlement="demo/dag/sales_report/view")
    begun, over = held.verified_at, ended.ended_at
    tick = timedelta(microseconds=1)
    program = as_("auditor")
    assert listed(program, at=(begun - tick).isoformat()) == []
    assert listed(program, at=begun.isoformat()) == [held.ref]
    assert listed(program, at=(over - tick).isoformat()) == [ended.ref, held.ref]
    assert listed(program, at=over.isoformat()) == [held.ref]
    refused(program.get("/grants", at="yesterday"), 422, "invalid", "at")
    refused(program.get("/grants", at="2026-11-21T09:00:00"), 422, "invalid", "at")


def test_hand_back_ones_own(as_, held: Grant, airflow) -> None:
    told = as_("employee", "request").post(f"/grants/{held.ref}/revoke").json()
    assert (told["status"], told["end_reason"], told["ended_by"]) == ("ending", "handed_back", "employee")
    assert len(told["operations"]) == 2
    work_off()
    told = as_("employee").get(f"/grants/{held.ref}").json()
    assert told["status"] == "ended" and told["ended_at"]
    assert AuditEvent.objects.filter(verb=Verb.GRANT_HANDED_BACK).count() == 1


def test_revoke_anothers(as_, held: Grant) -> None:
    told = as_("lead", "decide").post(f"/grants/{held.ref}/revoke", {"reason": "project over"}).json()
    assert (told["status"], told["end_reason"], told["end_comment"], told["ended_by"]) == (
        "ending", "revoked", "project over", "lead",
    )  # fmt: skip


def test_which_scope_ends_whose(as_, held: Grant) -> None:
    refused(as_("lead", "request").post(f"/grants/{held.ref}/revoke", {"reason": "x"}), 403, "scope")
    own = grant_at_status("active", by="lead", entitlement="demo/role/Viewer")
    refused(as_("lead", "decide").post(f"/grants/{own.ref}/revoke"), 403, "scope")
    assert Grant.objects.filter(status="active").count() == 2
    told = AuditEvent.objects.filter(verb=Verb.PAGE_REFUSED).order_by("seq").values_list("target", flat=True)
    assert list(told) == [f"POST /api/v1/grants/{grant.ref}/revoke" for grant in (held, own)]


def test_revoking_needs_a_reason(as_, held: Grant) -> None:
    refused(as_("lead").post(f"/grants/{held.ref}/revoke"), 422, "invalid", "reason")
    refused(as_("lead").post(f"/grants/{held.ref}/revoke", {"why": "x"}), 422, "invalid", "why")


def test_whoever_is_second_hears_who_was_first(as_, held: Grant) -> None:
    as_("lead").post(f"/grants/{held.ref}/revoke", {"reason": "over"})
    problem = refused(as_("lead2").post(f"/grants/{held.ref}/revoke", {"reason": "over"}), 409, "conflict")
    assert "by lead" in problem["detail"]
    refused(as_("employee").post(f"/grants/{held.ref}/revoke"), 409, "conflict")
