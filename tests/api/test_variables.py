from __future__ import annotations

import pytest

from portal.dags.models import VariableRequest
from portal.operations.models import Operation
from tests.api.conftest import refused
from tests.factories import work_off

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("airflow")]
ONE = "/variables/demo/report_mode"


def test_change_at_once(as_, airflow) -> None:
    program = as_("colleague")
    answer = program.post(ONE, {"value": "fast", "reason": "quarter end"})
    assert (answer.status_code, answer.json()["kind"]) == (201, "set_variable")
    work_off()
    told = program.get(ONE).json()
    assert {name: told[name] for name in ("value", "allowed", "may_change", "may_ask", "policy", "set_by")} == {
        "value": "fast",
        "allowed": {"enum": ["full", "fast"]},
        "may_change": True,
        "may_ask": False,
        "policy": "one-lead",
        "set_by": answer.json()["id"],
    }
    assert [change["id"] for change in told["changes"]] == [answer.json()["id"]]
    assert program.get(f"/operations/{answer.json()['id']}").json()["status"] == "succeeded"
    refused(as_("stranger").get(f"/operations/{answer.json()['id']}"), 404, "not_found")


def test_ask_and_approve(as_, airflow) -> None:
    answer = as_("employee").post("/variables/demo/report_days", {"value": 7, "reason": "quarter end"})
    told = answer.json()
    assert answer.status_code == 202
    assert (told["kind"], told["variable"], told["value"], told["operation"]) == (
        "variable",
        "demo/report_days",
        "7",
        None,
    )
    approved = as_("lead").post(f"/requests/{told['id']}/approve").json()
    assert approved["operation"] == Operation.objects.get().ref
    work_off()
    assert airflow.state.variables["report_days"].value == "7"
    listed = as_("lead").get("/requests?kind=variable").json()["items"]
    assert [row["id"] for row in listed] == [told["id"]]


def test_a_returned_request_is_sent_again_with_another_value(as_) -> None:
    program = as_("employee")
    asked = program.post("/variables/demo/report_days", {"value": 31, "reason": "quarter end"}).json()
    as_("lead").post(f"/requests/{asked['id']}/return", {"comment": "fewer"})
    again = f"/requests/{asked['id']}/resubmit"
    refused(program.post(again, {"value": 99, "round": 1}), 422, "invalid", "value")
    told = program.post(again, {"value": 7, "round": 1}).json()
    assert (told["status"], told["value"], told["round"]) == ("pending", "7", 2)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"value": "slow", "reason": "x"}, "value"),
        ({"value": 7, "reason": "x"}, "value"),
        ({"value": "fast"}, "reason"),
        ({"reason": "x"}, "value"),
        ({"value": None, "reason": "x"}, "value"),
    ],
)
def test_what_is_wrong_is_named(as_, body, field) -> None:
    refused(as_("colleague").post(ONE, body), 422, "invalid", field)
    assert not Operation.objects.exists()


def test_lists(as_) -> None:
    keys = [row["key"] for row in as_("employee").get("/variables").json()["items"]]
    assert keys == ["report_days", "report_mode"]
    assert as_("employee").get("/variables?deployment=other").json()["items"] == []
    assert as_("stranger").get("/variables").json()["items"] == []
    refused(as_("stranger").get(ONE), 404, "not_found")
    refused(as_("auditor").post(ONE, {"value": "fast", "reason": "x"}), 403, "not_eligible")
    refused(as_("employee").get("/variables/demo/fernet_key"), 404, "not_found")


def test_a_key_makes_a_repeated_call_one_change(as_) -> None:
    body = {"value": 7, "reason": "quarter end"}
    for _ in range(2):
        answer = as_("employee").post("/variables/demo/report_days", body, Idempotency_Key="a-key")
        assert answer.status_code == 202
    assert VariableRequest.objects.count() == 1
