from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from portal.access.models import AccessRequest, Grant
from portal.api.idempotency import KEPT
from portal.api.models import IdempotencyKey
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.dags.models import Run, RunRequest
from tests.api.conftest import refused
from tests.factories import request_at_status

pytestmark = pytest.mark.django_db
ASKED = {"entitlement": "demo/role/User", "duration": "PT8H", "reason": "month-end close"}
RUNS = "/dags/demo/sales_report/runs"


def test_the_same_call_twice_is_done_once(as_) -> None:
    program = as_("employee")
    first = program.post("/requests", ASKED, Idempotency_Key="k1")
    second = program.post("/requests", ASKED, Idempotency_Key="k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert AccessRequest.objects.count() == 1
    assert AuditEvent.objects.filter(verb=Verb.REQUEST_SUBMITTED).count() == 1
    assert not AuditEvent.objects.filter(outcome="refused").exists()


def test_an_answer_that_is_given_again_has_its_status(as_) -> None:
    """A run is answered with 201, a request for a run with 202."""
    program = as_("employee")
    ask = {"conf": {"month": "2026-10"}, "reason": "month-end close"}
    answers = [program.post("/dags/demo/payroll_close/runs", ask, Idempotency_Key="k1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].content == answers[1].content
    assert RunRequest.objects.count() == 1


def test_without_a_key_every_call_counts(as_) -> None:
    program = as_("colleague")
    for _ in range(2):
        assert program.post(RUNS).status_code == 201
    assert (Run.objects.count(), IdempotencyKey.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    "path, body",
    [(RUNS, {"note": "another"}), ("/dags/demo/flaky_import/runs", {"note": "one"}), (f"{RUNS}?x=1", {"note": "one"})],
)
def test_a_key_belongs_to_one_call(as_, path: str, body: dict) -> None:
    program = as_("colleague")
    assert program.post(RUNS, {"note": "one"}, Idempotency_Key="k1").status_code == 201
    told = refused(program.post(path, body, Idempotency_Key="k1"), 409, "idempotency_key_reused")
    assert "Nothing was done." in told["detail"]
    assert Run.objects.count() == 1


def test_a_body_is_the_same_however_it_is_laid_out(as_) -> None:
    program = as_("colleague")
    first = program.post(RUNS, '{"note": "one", "conf": {"a": 1, "b": 2}}', Idempotency_Key="k1")
    second = program.post(RUNS, '{"conf":{"b":2,"a":1},"note":"one"}', Idempotency_Key="k1")
    assert second["Idempotency-Replayed"] == "true"
    assert first.json() == second.json()
    refused(
        program.post(RUNS, '{"conf":{"b":2,"a":1.0},"note":"one"}', Idempotency_Key="k1"), 409, "idempotency_key_reused"
    )


def test_a_key_belongs_to_one_person_whatever_the_token(as_) -> None:
    first = as_("colleague").post(RUNS, Idempotency_Key="k1").json()
    assert as_("colleague").post(RUNS, Idempotency_Key="k1").json() == first
    request_at_status("pending", by="employee", entitlement="demo/role/User")
    approve = f"/requests/{AccessRequest.objects.get().ref}/approve"
    assert as_("lead").post(approve, Idempotency_Key="k1").json()["status"] == "approved"


def test_an_answer_is_what_it_was_even_when_the_world_went_on(as_) -> None:
    program = as_("employee")
    first = program.post("/requests", ASKED, Idempotency_Key="k1").json()
    program.post(f"/requests/{first['id']}/withdraw")
    again = program.post("/requests", ASKED, Idempotency_Key="k1").json()
    assert again == first
    assert AccessRequest.objects.get().status == "withdrawn"


def test_a_refused_call_may_be_sent_again(as_) -> None:
    program = as_("employee")
    wrong = ASKED | {"ticket": "7", "entitlement": "demo/role/Op"}
    refused(program.post("/requests", wrong, Idempotency_Key="k1"), 422, "invalid", "ticket")
    refused(program.post("/requests", ASKED | {"duration": "x"}, Idempotency_Key="k1"), 422, "invalid", "duration")
    assert IdempotencyKey.objects.count() == 0
    assert program.post("/requests", ASKED, Idempotency_Key="k1").status_code == 201
    assert AuditEvent.objects.filter(verb=Verb.REQUEST_SUBMIT_REFUSED).count() == 1, (
        "the refusal is recorded all the same"
    )


def test_the_scope_is_asked_for_before_the_answer_is_given_again(as_) -> None:
    as_("colleague").post(RUNS, Idempotency_Key="k1")
    refused(as_("colleague", "read").post(RUNS, Idempotency_Key="k1"), 403, "scope")


@pytest.mark.parametrize("key", ["", " ", "x" * 201, "é", "a\tb"])
def test_what_is_no_key(as_, key: str) -> None:
    program = as_("colleague")
    if key == " ":  # printable, so it is one
        assert program.post(RUNS, Idempotency_Key=key).status_code == 201
        return
    refused(program.post(RUNS, Idempotency_Key=key), 422, "invalid", "Idempotency-Key")
    assert Run.objects.count() == 0


def test_keys_are_kept_for_a_day(as_) -> None:
    program = as_("colleague")
    program.post(RUNS, Idempotency_Key="k1")
    program.post(RUNS, Idempotency_Key="k2")
    just = timezone.now() - KEPT
    IdempotencyKey.objects.filter(key="k1").update(created_at=just + timedelta(minutes=1))
    program.post(RUNS, Idempotency_Key="k1")
    assert Run.objects.count() == 2
    IdempotencyKey.objects.update(created_at=just - timedelta(seconds=1))
    program.post(RUNS, Idempotency_Key="k1")
    assert Run.objects.count() == 3
    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["k1"], "old keys are swept away"


def test_reading_takes_no_key(as_) -> None:
    assert as_("employee").get("/me").status_code == 200
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_neither_effect_nor_key_without_the_trail(as_, broken_trail_after) -> None:
    program = as_("colleague")
    broken_trail_after()
    refused(program.post(RUNS, Idempotency_Key="k1"), 500, "internal_error")
    assert (Run.objects.count(), IdempotencyKey.objects.count()) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_the_same_call_many_times_at_once_is_done_once(as_) -> None:
    program, answers = as_("colleague"), []
    together = threading.Barrier(6)

    def call() -> None:
        together.wait()
        try:
            answers.append(program.post(RUNS, {"note": "once"}, Idempotency_Key="k1"))
        finally:
            connection.close()

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {201}, [answer.content for answer in answers]
    assert len({answer.content for answer in answers}) == 1
    assert sum("Idempotency-Replayed" not in answer for answer in answers) == 1
    assert Run.objects.count() == 1
    assert AuditEvent.objects.filter(verb=Verb.RUN_REQUESTED).count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_approvers_at_once(as_) -> None:
    """One is first; the other hears who it was. Nothing is done twice."""
    asked = request_at_status("pending", by="employee", entitlement="demo/role/User")
    programs, answers = [as_("lead"), as_("lead2")], []
    together = threading.Barrier(2)

    def approve(number: int) -> None:
        together.wait()
        try:
            answers.append(programs[number].post(f"/requests/{asked.ref}/approve", Idempotency_Key="mine"))
        finally:
            connection.close()

    threads = [threading.Thread(target=approve, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    second = next(answer for answer in answers if answer.status_code == 409)
    assert "approved" in refused(second, 409, "conflict")["detail"]
    assert Grant.objects.count() == 1
