"""Every call x every person of the cast: let through, refused, or told that there is no such thing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from portal.api.views import RECORDED
from portal.operations.models import Operation
from tests.api.test_views import CALLS
from tests.factories import NAMES
from tests.guards.addresses import EVERYBODY, LEADS, MAY_ASK_FOR_DAG, NOBODY, OF_EMPLOYEES_REQUEST, OVERSIGHT
from tests.guards.world import SECRET, world

pytestmark = pytest.mark.django_db
DONE = (200, 201, 202, 409)  # 409: somebody of those who may was first
DATA = frozenset({"employee", "colleague"}) | LEADS
APPROVERS = LEADS | {"security"}


@dataclass(frozen=True)
class Call:
    """may: who gets through. refused: who is told 403. Everybody else is told 404, as if it were not there.

    things: what stands in the address, by tests/guards/world.py. reads: whose answer may hold SECRET.
    """

    may: frozenset[str]
    refused: frozenset[str] = NOBODY
    things: str = ""
    body: dict[str, str] = field(default_factory=dict)
    reads: frozenset[str] = NOBODY


ALL = Call(EVERYBODY)
ABOUT_REQUEST = OF_EMPLOYEES_REQUEST
OPERATING = {"things": "dag", "body": {"reason": "month end"}}
EXPECTED: dict[tuple[str, str], Call] = {
    ("GET", "/me"): ALL,
    ("GET", "/deployments"): ALL,
    ("GET", "/entitlements"): ALL,
    ("POST", "/requests"): Call(
        DATA, EVERYBODY - DATA, body={"entitlement": "demo/role/User", "duration": "8h", "reason": "work"}
    ),
    ("GET", "/requests"): Call(EVERYBODY, reads=ABOUT_REQUEST),
    ("GET", "/requests/{id}"): Call(ABOUT_REQUEST, things="request", reads=ABOUT_REQUEST),
    ("POST", "/requests/{id}/approve"): Call(LEADS, EVERYBODY - APPROVERS, "request", reads=LEADS),
    ("POST", "/requests/{id}/deny"): Call(LEADS, EVERYBODY - APPROVERS, "request", {"comment": "no"}, LEADS),
    ("POST", "/requests/{id}/return"): Call(LEADS, EVERYBODY - APPROVERS, "request", {"comment": "no"}, LEADS),
    ("POST", "/requests/{id}/resubmit"): Call(
        frozenset({"employee"}), ABOUT_REQUEST - {"employee"}, "returned", reads=frozenset({"employee"})
    ),
    ("POST", "/requests/{id}/comments"): Call(
        LEADS | {"employee"}, OVERSIGHT, "request", {"text": "which one?"}, LEADS | {"employee"}
    ),
    ("POST", "/requests/{id}/withdraw"): Call(
        frozenset({"employee"}), ABOUT_REQUEST - {"employee"}, "request", reads=frozenset({"employee"})
    ),
    ("POST", "/requests/{id}/cancel"): Call(
        LEADS | {"employee"}, OVERSIGHT, "scheduled", {"reason": "not today"}, LEADS | {"employee"}
    ),
    ("GET", "/permits"): ALL,
    ("POST", "/permits/{id}/revoke"): Call(
        LEADS | {"employee", "admin"}, frozenset({"auditor"}), "permit", {"reason": "enough"}
    ),
    ("GET", "/grants"): ALL,
    ("GET", "/grants/{id}"): Call(ABOUT_REQUEST, things="grant"),
    ("POST", "/grants/{id}/revoke"): Call(LEADS | {"employee"}, OVERSIGHT, "grant", {"reason": "enough"}),
    ("GET", "/dags"): ALL,
    ("GET", "/dags/{deployment}/{dag_id}"): Call(MAY_ASK_FOR_DAG, things="dag"),
    ("POST", "/dags/{deployment}/{dag_id}/runs"): Call(MAY_ASK_FOR_DAG, **OPERATING),
    ("POST", "/dags/{deployment}/{dag_id}/pause"): Call(
        frozenset({"colleague"}), MAY_ASK_FOR_DAG - {"colleague"}, **OPERATING
    ),
    ("POST", "/dags/{deployment}/{dag_id}/unpause"): Call(
        frozenset({"colleague"}), MAY_ASK_FOR_DAG - {"colleague"}, **OPERATING
    ),
    ("GET", "/variables"): ALL,
    ("GET", "/variables/{deployment}/{key}"): Call(MAY_ASK_FOR_DAG | OVERSIGHT, things="variable"),
    ("POST", "/variables/{deployment}/{key}"): Call(
        MAY_ASK_FOR_DAG, OVERSIGHT, "variable", {"value": "fast", "reason": "month end"}
    ),
    ("GET", "/runs/{id}"): Call(MAY_ASK_FOR_DAG | OVERSIGHT, things="run", reads=MAY_ASK_FOR_DAG | OVERSIGHT),
    ("GET", "/runs"): Call(EVERYBODY, reads=MAY_ASK_FOR_DAG | OVERSIGHT),
    ("GET", "/runs/{id}/tasks"): Call(MAY_ASK_FOR_DAG | OVERSIGHT, things="run"),
    ("GET", "/runs/{id}/tasks/{task_id}/log"): Call(
        MAY_ASK_FOR_DAG | OVERSIGHT, things="run", reads=MAY_ASK_FOR_DAG | OVERSIGHT
    ),
    ("POST", "/runs/{id}/cancel"): Call(
        frozenset({"colleague"}), (MAY_ASK_FOR_DAG - {"colleague"}) | OVERSIGHT, "run", {"reason": "enough"}
    ),
    ("POST", "/runs/{id}/retry"): Call(frozenset({"colleague"}), (MAY_ASK_FOR_DAG - {"colleague"}) | OVERSIGHT, "run"),
    ("GET", "/operations/{id}"): Call(ABOUT_REQUEST, things="operation"),
    ("GET", "/audit"): Call(OVERSIGHT, EVERYBODY - OVERSIGHT, reads=OVERSIGHT),
    ("GET", "/audit/export"): Call(OVERSIGHT, EVERYBODY - OVERSIGHT, reads=OVERSIGHT),
    ("GET", "/audit/verify"): Call(OVERSIGHT, EVERYBODY - OVERSIGHT),
}


def test_every_call_is_walked() -> None:
    assert EXPECTED.keys() == CALLS.keys()


@pytest.mark.parametrize("call", EXPECTED, ids=" ".join)
def test_everybody(as_, airflow, cast, call: tuple[str, str]) -> None:
    method, path = call
    expected = EXPECTED[call]
    things = world(cast)
    things["operation"] = [Operation.objects.filter(subject=things["grant"][0]).get().ref]
    path = path.replace("{task_id}", "publish")
    for name in ("deployment", "dag_id", "key", "id"):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", things[expected.things].pop(0))
    # who may is asked last: it changes what the others are asked about
    for name in sorted(NAMES, key=lambda name: name in expected.may):
        program = as_(name)
        answer = program.get(path) if method == "GET" else program.post(path, expected.body)
        wanted = DONE if name in expected.may else (403,) if name in expected.refused else (404,)
        assert answer.status_code in wanted, f"{name}: {answer.status_code} {answer.content!r}"
        if method == "GET":
            head = 405 if path.endswith(RECORDED) else answer.status_code
            assert program.head(path).status_code == head
        text = b"".join(answer).decode()
        assert name in expected.reads or SECRET not in text, f"{name} reads what is not theirs"
        if answer.status_code == 200 and method == "GET":
            assert (SECRET in text) == (name in expected.reads), f"{name} does not read what is theirs"


@pytest.mark.parametrize("name", NAMES)
def test_lists_hold_what_one_may_see_and_nothing_else(as_, airflow, cast, name: str) -> None:
    things = world(cast)
    program = as_(name)

    def ids(path: str) -> set[str]:
        return {item["id"] for item in json.loads(program.get(path).content)["items"]}

    sees = name in OF_EMPLOYEES_REQUEST
    assert (things["request"][0] in ids("/requests"), things["grant"][0] in ids("/grants")) == (sees, sees)
    assert ("demo/sales_report" in ids("/dags")) == (name in MAY_ASK_FOR_DAG)
