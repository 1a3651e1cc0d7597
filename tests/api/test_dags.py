from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.operator import Operator
from portal.airflow.models import DeploymentState
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.dags.models import DagState, Run, RunRequest
from portal.dags.variables import changing
from portal.operations.models import Operation
from portal.worker import runs
from tests.api.conftest import refused
from tests.factories import grant_at_status, observe, request_at_status, run_request, work_off

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("airflow")]
REPORT = "/dags/demo/sales_report"


def test_list(as_) -> None:
    told = {item["dag_id"]: item for item in as_("colleague").get("/dags").json()["items"]}
    assert set(told) == {"sales_report", "payroll_close", "warehouse_backup", "flaky_import", "every_param"}
    report, payroll = told["sales_report"], told["payroll_close"]
    assert (report["id"], report["actions"], report["why_not"]) == ("demo/sales_report", ["trigger", "pause"], None)
    assert (report["paused"], report["problem"]) == (False, None)
    assert report["seen_at"].endswith("Z")
    assert (payroll["actions"], payroll["reason"]) == ([], "needs_approval")
    for q in ("SALES", "ｓａｌｅｓ", "report sales"):
        assert [i["dag_id"] for i in as_("colleague").get("/dags", q=q).json()["items"]] == ["sales_report"]
    assert as_("colleague").get("/dags", deployment="legacy").json()["items"] == []
    assert as_("stranger").get("/dags").json()["items"] == []


def test_read_with_parameters(as_) -> None:
    told = as_("colleague").get(REPORT).json()
    assert told["params"]["region"] == {
        "default": "KR", "schema": {"type": "string", "enum": ["KR", "APAC", "EU"], "title": "Region"},
        "required": False,
    }  # fmt: skip
    assert (told["params_unknown_because"], told["locked"]) == (None, {})


def test_secret_defaults_are_not_told(as_, airflow) -> None:
    airflow.state.dags["sales_report"].params |= {
        "api_token": {"value": "hunter2", "schema": {"type": "string", "enum": ["hunter2"]}},
        "pin": {"value": "hunter3", "schema": {"type": "string", "format": "password", "default": "hunter3"}},
        "conn": {"value": {"host": "db1", "password": "hunter4"}, "schema": {"type": "object"}},
    }
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    told = as_("colleague").get(REPORT).json()["params"]
    assert "hunter" not in json.dumps(told)
    assert told["api_token"] == {"default": "***", "schema": {"type": "string"}, "required": False}
    assert told["pin"]["schema"] == {"type": "string", "format": "password"}
    assert told["pin"]["default"] == "***"
    assert told["conn"]["default"] == {"host": "db1", "password": "***"}


def test_read_while_airflow_is_away(as_) -> None:
    observe(status=DeploymentState.Status.DOWN)
    told = as_("colleague").get(REPORT).json()
    assert told["params"]["region"]["default"] == "KR", "what is known is told, and of when it is"
    assert told["params_as_of"] == told["seen_at"]
    DagState.objects.all().delete()
    told = as_("colleague").get(REPORT).json()
    assert (told["params"], told["params_unknown_because"]) == (None, "Airflow on demo is unreachable.")
    observe(status=DeploymentState.Status.UP)
    told = as_("colleague").get(REPORT).json()
    unread = "Gatehouse has not read this DAG from Airflow yet."
    assert (told["params"], told["params_unknown_because"]) == (None, unread)


def test_a_pause_says_by_whom_and_why(as_, airflow) -> None:
    as_("colleague").post(f"{REPORT}/pause", {"reason": "bad numbers"})
    work_off()
    told = as_("colleague").get(REPORT).json()
    assert told["paused"] is True
    assert (told["switched"]["by"], told["switched"]["reason"]) == ("colleague", "bad numbers")
    airflow.state.dags["sales_report"].paused = False
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    told = as_("colleague").get(REPORT).json()
    assert (told["paused"], told["switched"]["by"], told["switched"]["reason"]) == (False, None, None)


@pytest.mark.parametrize("path", [REPORT, "/dags/demo/nothing", "/dags/nowhere/sales_report"])
def test_what_one_may_not_operate_is_not_there(as_, path: str) -> None:
    for program in (as_("stranger"), as_("security")):
        refused(program.get(path), 404, "not_found")
        refused(program.post(f"{path}/runs"), 404, "not_found")
        refused(program.post(f"{path}/pause", {"reason": "x"}), 404, "not_found")
        refused(program.post(f"{path}/unpause"), 404, "not_found")
    assert (Run.objects.count(), Operation.objects.count()) == (0, 0)


def test_run(as_) -> None:
    Dag.objects.update(undeclared=True)
    answer = as_("colleague").post(f"{REPORT}/runs", {"conf": {"region": "EU", "n": [1, 2.5, None]}, "note": "for Kim"})
    assert answer.status_code == 201
    told, run = answer.json(), Run.objects.get()
    assert {name: told[name] for name in told if not name.endswith("_at")} == {
        "id": run.ref,
        "status": "requested",
        "deployment": "demo",
        "dag_id": "sales_report",
        "dag_run_id": f"gatehouse__{run.operation.uuid}",
        "conf": {"region": "EU", "n": [1, 2.5, None]},
        "note": "for Kim",
        "requested_by": "colleague",
        "request": None,
        "permit": None,
        "operation": run.operation.ref,
        "error": None,
        "remark": None,
        "url": f"http://127.0.0.1:8000/runs/{run.ref}",
    }
    work_off()
    told = as_("colleague").get(f"/runs/{run.ref}").json()
    assert told["status"] in ("queued", "running", "success")
    event = AuditEvent.objects.get(verb=Verb.RUN_REQUESTED)
    assert event.token.startswith("gh_") and event.target == run.ref


def test_run_without_anything(as_) -> None:
    assert as_("colleague").post(f"{REPORT}/runs").json()["conf"] == {}


@pytest.mark.parametrize(
    "body, field",
    [
        ({"conf": []}, "conf"),
        ({"conf": "x"}, "conf"),
        ({"conf": {"region": "US"}}, "conf.region"),
        ({"conf": {"regoin": "EU"}}, "conf.regoin"),
        ({"conf": {"x": "a" * 70_000}}, "conf"),
        ({"conf": {"x": json.loads("[" * 34 + "]" * 34)}}, "conf"),
        ({"conf": {"x": [{"y": 2**64}]}}, "conf"),
        ('{"conf": {"x": NaN}}', "body"),
        ('{"conf": {"x": 1e999}}', "body"),
        ('{"conf": {"x": 1, "x": 2}}', "x"),
        ('{"conf": {"x": "\\ud800"}}', "conf"),
        ({"note": "x" * 600}, "note"),
        ({"note": "a\u202eb"}, "note"),
        ({"logical_date": "2026-11-21"}, "logical_date"),
    ],
)
def test_what_cannot_be_run(as_, body, field: str) -> None:
    refused(as_("colleague").post(f"{REPORT}/runs", body), 422, "invalid", field)
    assert Run.objects.count() == 0


def test_who_may_not_run_it_at_once_asks_for_it(as_) -> None:
    body = {"conf": {"month": "2026-11"}, "reason": "month-end close", "note": "for Kim"}
    answer = as_("employee").post("/dags/demo/payroll_close/runs", body)
    assert answer.status_code == 202
    told, row = answer.json(), RunRequest.objects.get()
    assert (told["id"], told["kind"], told["status"], told["start"]) == (row.ref, "run", "pending", "waiting")
    assert (told["dag"], told["conf"], told["conf_sha256"]) == ("demo/payroll_close", body["conf"], row.conf_sha256)
    assert (told["entitlement"], told["duration"], told["grant"], told["run"]) == (None, None, None, None)
    assert (told["reason"], told["note"], told["start_at"]) == ("month-end close", "for Kim", None)
    refused(as_("employee").post("/dags/demo/payroll_close/runs", body), 409, "already_open")
    approved = as_("lead").post(f"/requests/{row.ref}/approve").json()
    run = Run.objects.get()
    assert (approved["status"], approved["start"], approved["run"]) == ("approved", "started", run.ref)
    assert as_("employee").get(f"/runs/{run.ref}").json()["request"] == row.ref
    steps = as_("employee").get(f"/requests/{row.ref}").json()["timeline"]
    assert [step["title"] for step in steps][:3] == ["Asked", "Approved", f"{run.ref} requested in Airflow"]


def test_asking_needs_a_reason(as_) -> None:
    refused(as_("employee").post("/dags/demo/payroll_close/runs"), 422, "invalid", "reason")
    assert not RunRequest.objects.exists()


def test_a_later_start_is_always_a_request_and_can_be_cancelled(as_) -> None:
    start = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    answer = as_("colleague").post(f"{REPORT}/runs", {"start_at": start.isoformat()})
    assert answer.status_code == 202
    told = answer.json()
    assert (told["status"], told["start"]) == ("approved", "scheduled")
    assert told["start_at"] == start.isoformat().replace("+00:00", "Z")
    assert not Run.objects.exists()
    assert as_("colleague").post(f"/requests/{told['id']}/cancel").json()["start"] == "cancelled"


def test_a_returned_request_for_a_run_is_changed(as_) -> None:
    row = run_request("returned")
    refused(as_("employee").post(f"/requests/{row.ref}/resubmit", {"conf": []}), 422, "invalid", "conf")
    told = as_("employee").post(f"/requests/{row.ref}/resubmit", {"conf": {"month": "2026-10"}}).json()
    assert (told["round"], told["conf"]) == (2, {"month": "2026-10"})


def test_requests_of_a_kind(as_) -> None:
    asked = run_request()
    access = request_at_status()
    for query, found in (("kind=run", asked), ("kind=access", access), ("dag=demo/payroll_close", asked)):
        items = as_("lead").get(f"/requests?decidable=true&{query}").json()["items"]
        assert [item["id"] for item in items] == [found.ref]


def test_too_many_runs(as_) -> None:
    Dag.objects.filter(dag_id="sales_report").update(max_runs_per_hour=1)
    assert as_("colleague").post(f"{REPORT}/runs").status_code == 201
    refused(as_("colleague").post(f"{REPORT}/runs"), 403, "too_many_runs")


def test_pause_and_unpause(as_) -> None:
    told = as_("colleague").post(f"{REPORT}/pause", {"reason": "month end"}).json()
    assert (told["kind"], told["status"], told["subject"], told["requested_by"]) == (
        "pause_dag", "queued", "demo/sales_report", "colleague",
    )  # fmt: skip
    work_off()
    assert as_("colleague").get("/dags", q="sales").json()["items"][0]["paused"] is True
    told = as_("colleague").get(f"/operations/{told['id']}").json()
    assert (told["status"], told["before"], told["after"], told["attempts"]) == (
        "succeeded", {"paused": False}, {"paused": True}, 1,
    )  # fmt: skip
    assert told["settled_at"].endswith("Z")
    as_("colleague").post(f"{REPORT}/unpause", {"reason": "go on"})
    work_off()
    assert as_("colleague").get("/dags", q="sales").json()["items"][0]["paused"] is False


def test_pausing_needs_a_reason(as_) -> None:
    refused(as_("colleague").post(f"{REPORT}/pause"), 422, "invalid", "reason")
    refused(as_("colleague").post(f"{REPORT}/pause", {"reason": "x", "until": "tomorrow"}), 422, "invalid", "until")
    refused(as_("employee").post(f"{REPORT}/pause", {"reason": "x"}), 403, "needs_approval")
    assert Operation.objects.count() == 0


# --- runs and operations ---------------------------------------------------------------------------------------------
@pytest.fixture
def run(as_) -> Run:
    as_("colleague").post(f"{REPORT}/runs", {"note": "quiet"})
    return Run.objects.get()


@pytest.mark.parametrize("name", ["colleague", "employee", "lead", "auditor", "admin"])
def test_who_sees_a_run(as_, run: Run, name: str) -> None:
    assert as_(name).get(f"/runs/{run.ref}").json()["note"] == "quiet"
    assert as_(name).get(f"/operations/{run.operation.ref}").json()["subject"] == run.ref


@pytest.mark.parametrize("name", ["stranger", "security"])
def test_who_does_not_learn_that_there_is_a_run(as_, run: Run, name: str) -> None:
    for there, nowhere in (
        (f"/runs/{run.ref}", "/runs/RUN-999"),
        (f"/operations/{run.operation.ref}", "/operations/OP-999"),
    ):
        hidden, absent = refused(as_(name).get(there), 404, "not_found"), as_(name).get(nowhere).json()
        assert hidden["detail"].replace(there.split("/")[-1], nowhere.split("/")[-1]) == absent["detail"]


def test_operations_of_grants_are_for_who_sees_the_grant(as_) -> None:
    grant = grant_at_status("active", by="employee", entitlement="demo/role/User")
    operation = Operation.objects.get(subject=grant.ref)
    for name in ("employee", "lead", "auditor", "admin"):
        told = as_(name).get(f"/operations/{operation.ref}").json()
        assert (told["kind"], told["status"]) == ("grant_role", "succeeded")
        assert "User" in json.dumps(told["after"])
    for name in ("colleague", "security", "stranger"):
        refused(as_(name).get(f"/operations/{operation.ref}"), 404, "not_found")


@pytest.mark.parametrize("subject", ["demo/variable/sales_report", "demo/sales_report"])
def test_a_variable_called_like_a_dag_is_not_for_those_who_may_run_the_dag(as_, subject: str) -> None:
    Deployment.objects.update(variables=[{"key": "sales_report"}])
    deployment = Deployment.objects.get()
    operation = changing.change(by=Operator("ops"), deployment=deployment, key="sales_report", value="x", reason="y")
    Operation.objects.update(subject=subject)
    for name in ("colleague", "employee", "lead", "stranger"):
        refused(as_(name).get(f"/operations/{operation.ref}"), 404, "not_found")
    for name in ("auditor", "admin"):
        assert as_(name).get(f"/operations/{operation.ref}").json()["subject"] == subject


def test_an_operation_says_why_it_waits(as_, run: Run) -> None:
    observe(status=DeploymentState.Status.DOWN)
    told = as_("colleague").get(f"/operations/{run.operation.ref}").json()
    assert told["waiting_for"].startswith("Airflow on demo is unreachable.")
    assert told["settled_at"] is None
