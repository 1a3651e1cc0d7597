"""A program that sends several wrong fields gets the errors of all of them at once, whichever check finds them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.api.parsing import rfc3339
from portal.approvals.actions import return_for_changes
from portal.core import clock
from tests import factories
from tests.api.conftest import refused
from tests.factories import person

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("airflow")]
LONG, PAST = "x" * 600, "2020-01-01T00:00:00Z"


def test_a_run(as_) -> None:
    factories.read_dag("payroll_close")
    body = {"conf": {"limit": "many"}, "note": LONG, "ticket": "\u202e", "start_at": PAST}
    problem = as_("employee").post("/dags/demo/payroll_close/runs", body)
    refused(problem, 422, "invalid", "conf.limit", "note", "reason", "start_at", "ticket")


def test_a_run_at_once(as_) -> None:
    factories.read_dag("sales_report")
    body = {"conf": {"limit": "many"}, "note": LONG}
    refused(as_("colleague").post("/dags/demo/sales_report/runs", body), 422, "invalid", "conf.limit", "note")


def test_a_pause(as_) -> None:
    body = {"reason": " ", "until": PAST}
    refused(as_("colleague").post("/dags/demo/sales_report/pause", body), 422, "invalid", "reason", "until")


def test_tasks_to_run_again(as_) -> None:
    run = factories.run_in_airflow("failed")
    body = {"tasks": ["nope"], "reason": LONG}
    refused(as_("colleague").post(f"/runs/{run.ref}/retry", body), 422, "invalid", "reason", "tasks")


def test_an_approval(as_) -> None:
    asked = factories.request_at_status()
    body = {"duration": "99d", "comment": "\u202e"}
    refused(as_("lead").post(f"/requests/{asked.ref}/approve", body), 422, "invalid", "comment", "duration")


@pytest.mark.parametrize(
    ("make", "body", "fields"),
    [
        (
            factories.request_at_status,
            {"duration": "99d", "reason": " ", "conf": {}, "runs": 1},
            ["conf", "duration", "reason", "runs"],
        ),
        (
            factories.run_request,
            {"conf": {"limit": "many"}, "note": LONG, "reason": " ", "start_at": PAST, "duration": "1h"},
            ["conf.limit", "duration", "note", "reason", "start_at"],
        ),
        (
            factories.permit_request,
            {"bounds": {"nope": {}}, "runs": 0, "duration": "91d", "reason": " "},
            ["bounds", "duration", "reason", "runs"],
        ),
    ],
)
def test_a_request_that_is_sent_again(as_, make, body, fields) -> None:
    factories.read_dag("payroll_close")
    asked = make()
    return_for_changes(request_id=asked.pk, by=person("lead"), comment="please check")
    refused(as_("employee").post(f"/requests/{asked.ref}/resubmit", body), 422, "invalid", *fields)


def test_a_null_changes_only_the_start_of_a_request_that_is_sent_again(as_) -> None:
    asked = factories.run_request(start_at=clock.now() + timedelta(hours=5))
    return_for_changes(request_id=asked.pk, by=person("lead"), comment="please check")
    program, at = as_("employee"), rfc3339(clock.now() + timedelta(days=1))
    told = program.post(f"/requests/{asked.ref}/resubmit", {"start_at": at, "conf": None, "note": None}).json()
    assert (told["start_at"], told["conf"]) == (at, asked.conf)
    return_for_changes(request_id=asked.pk, by=person("lead"), comment="now, please", round=2)
    told = program.post(f"/requests/{asked.ref}/resubmit", {"start_at": None, "round": 2}).json()
    assert (told["start_at"], told["conf"]) == (None, asked.conf)


@pytest.mark.parametrize(("who", "key"), [("colleague", "report_mode"), ("employee", "report_days")])
def test_a_variable(as_, who, key) -> None:
    refused(
        as_(who).post(f"/variables/demo/{key}", {"value": "slow", "reason": " "}), 422, "invalid", "reason", "value"
    )
