"""Permits: their bounds, the runs within them, and their end."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import time_machine
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from accounts import enrolment
from accounts.operator import Operator
from portal.approvals import actions
from portal.approvals.models import Request
from portal.approvals.resubmitting import resubmit
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.catalogue.models import Dag
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags.actions import trigger
from portal.dags.models import Permit, Run
from portal.dags.permits import permits
from portal.dags.permits.permit_bounds import broken
from portal.operations.models import Operation
from tests.factories import permit, permit_request, person, read_dag, verbs

pytestmark = pytest.mark.usefixtures("catalogue")
INSIDE = {"month": "2026-11"}


def run(conf: object = INSIDE, *, by: str = "employee", **more: object) -> Run:
    dag = Dag.objects.get(dag_id="payroll_close")
    return trigger(by=person(by), dag=dag, conf=conf, **more)


# --- bounds ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("bounds", "why"),
    [
        ([], "JSON object"),
        ({"nope": {"enum": [1]}}, "no such parameter"),
        ({"month": {}}, "write one or more of"),
        ({"month": {"pattern": "x"}}, "write one or more of"),
        ({"month": {"enum": []}}, "must list"),
        ({"limit": {"maximum": "9"}}, "must be a number"),
        ({"limit": {"maximum": True}}, "must be a number"),
        ({"limit": {"minimum": 9, "maximum": 1}}, "larger than the maximum"),
        ({"day": {"days_back": -1}}, "whole number"),
        ({"pin": {"enum": ["1"]}}, "no such parameter"),
    ],
)
def test_wrong_bounds_are_refused_with_the_reason(bounds, why):
    with pytest.raises(Invalid, match=why) as wrong:
        permit_request(bounds=bounds)
    assert list(wrong.value.fields) == ["bounds"]
    assert not Request.objects.exists()


def test_a_secret_or_fixed_parameter_has_no_bounds():
    Dag.objects.update(undeclared=True, locked={"env": "prod"})
    for name, why in (("pin", "secret"), ("env", "catalogue sets")):
        with pytest.raises(Invalid, match=why):
            permit_request(bounds={name: {"enum": ["1"]}})


TODAY = timezone.now().date()


@pytest.mark.parametrize(
    ("bounds", "conf", "why"),
    [
        ({"month": {"enum": ["2026-11", "2026-12"]}}, {"month": "2026-12"}, ""),
        ({"month": {"enum": ["2026-10"]}}, {"month": "2026-12"}, 'must be "2026-10", not "2026-12"'),
        ({"month": {"enum": ["2026-11"]}}, {}, ""),
        ({"month": {"enum": ["2026-10"]}}, {}, 'not "2026-11"'),
        ({"limit": {"enum": [1]}}, {"limit": True}, "must be 1, not true"),
        ({"limit": {"minimum": 1, "maximum": 9}}, {"limit": 9}, ""),
        ({"limit": {"minimum": 1, "maximum": 9}}, {"limit": 9.5}, "from 1 to 9"),
        ({"limit": {"maximum": 9}}, {"limit": "9"}, "at most 9"),
        ({"day": {"days_back": 7}}, {"day": str(TODAY)}, ""),
        ({"day": {"days_back": 7}}, {"day": str(TODAY - timedelta(days=8))}, "at most 7 days back"),
        ({"day": {"days_back": 7}}, {"day": str(TODAY + timedelta(days=2))}, "at most 7 days back"),
        ({"day": {"days_back": 7}}, {"day": "today"}, "at most 7 days back"),
        ({"day": {"days_back": 7}}, {}, "at most 7 days back, not null"),
        ({"new": {"enum": [1]}}, {}, "was left out"),
        ({}, {"month": "anything"}, ""),
    ],
)
def test_what_is_within_the_bounds(bounds, conf, why):
    found = broken(bounds, conf, read_dag("payroll_close"))
    assert (why in found) if why else (found == "")


# --- asking and deciding ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"runs": 0}, "runs"),
        ({"runs": 1001}, "runs"),
        ({"duration": timedelta(days=91)}, "duration"),
        ({"duration": timedelta()}, "duration"),
        ({"reason": " "}, "reason"),
    ],
)
def test_what_is_wrong_is_named(asked, field):
    with pytest.raises(Invalid) as wrong:
        permit_request(**asked)
    assert list(wrong.value.fields) == [field]


def test_who_may_not_ask_is_refused():
    with pytest.raises(Refused) as refusal:
        permit_request(by="stranger")
    assert refusal.value.reason == "not_eligible"


def test_it_is_decided_like_access_and_may_be_shortened():
    request = permit_request()
    for name in ("employee", "stranger"):
        with pytest.raises(Refused):
            actions.approve(request_id=request.pk, by=person(name))
    assert not Permit.objects.exists()
    with pytest.raises(Conflict):
        permit_request()
    actions.approve(request_id=request.pk, by=person("lead"), duration=timedelta(days=2))
    issued = Permit.objects.get()
    assert (issued.status, issued.left, issued.ends_at - issued.created_at) == ("active", 3, timedelta(days=2))
    assert verify().problems == []


def test_a_returned_request_is_changed():
    request = permit_request()
    actions.return_for_changes(request_id=request.pk, by=person("lead"), comment="fewer")
    resubmit(request_id=request.pk, by=person("employee"), own={"runs": 1, "bounds": {"limit": {"maximum": 5}}})
    actions.approve(request_id=request.pk, by=person("lead"), round=2)
    issued = Permit.objects.get()
    assert (issued.runs_allowed, issued.bounds) == (1, {"limit": {"maximum": 5}})
    assert verify().problems == []


# --- using -----------------------------------------------------------------------------------------------------------
def test_a_run_within_a_permit_starts_at_once_and_is_counted():
    issued = permit()
    made = run()
    issued.refresh_from_db()
    assert (made.permit, made.operation.requested_by, issued.used, issued.left) == (issued, "employee", 1, 2)
    assert verbs()[-2:] == ["run.requested", "permit.used"]
    assert verify().problems == []


def test_a_run_outside_is_refused_with_the_bound_and_the_way_out():
    issued = permit()
    with pytest.raises(Refused) as refusal:
        run({"month": "2026-10"})
    assert refusal.value.reason == "outside_permit"
    assert '“month” must be "2026-11", not "2026-10"' in refusal.value.detail
    assert "Ask for an approval" in refusal.value.detail
    issued.refresh_from_db()
    assert (issued.used, Run.objects.exists()) == (0, False)


def test_a_permit_is_of_one_person_and_one_dag():
    permit()
    for by in ("colleague", "lead"):
        with pytest.raises(Refused) as refusal:
            run(by=by)
        assert refusal.value.reason == "needs_approval"
    with pytest.raises(Refused, match="approval"):
        trigger(by=person("employee"), dag=Dag.objects.get(dag_id="sales_report"), conf={})


def test_the_same_form_uses_it_once():
    issued = permit()
    assert run(key="form-1") == run(key="form-1")
    issued.refresh_from_db()
    assert issued.used == 1


def test_the_last_run_uses_it_up():
    issued = permit(runs=1)
    run()
    issued.refresh_from_db()
    assert (issued.status, issued.left) == ("used_up", 0)
    with pytest.raises(Refused) as refusal:
        run()
    assert refusal.value.reason == "needs_approval"
    assert verify().problems == []


def test_a_refused_run_uses_nothing():
    issued = permit()
    freeze = {"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "year-end close"}
    Dag.objects.update(freeze=[freeze])
    with pytest.raises(Refused, match="frozen"):
        run()
    issued.refresh_from_db()
    assert issued.used == 0


def test_a_run_without_an_event_uses_nothing(request):
    issued = permit()
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        run()
    issued.refresh_from_db()
    assert (issued.used, Run.objects.exists(), Operation.objects.exists()) == (0, False, False)


def test_who_may_no_longer_ask_cannot_use_it():
    permit()
    enrolment.change_groups(by=Operator("root"), username="employee", none=True)
    with pytest.raises(Refused) as refusal:
        run()
    assert refusal.value.reason == "not_eligible"


@pytest.mark.django_db(transaction=True)
def test_20_parallel_runs_against_3_left_start_exactly_3():
    permit(runs=3)
    together, found = threading.Barrier(20), []

    def start() -> None:
        together.wait()
        try:
            found.append(run().ref)
        except Refused as refusal:
            found.append(refusal.reason)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(20)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert Run.objects.count() == 3
    assert len([one for one in found if one.startswith("RUN-")]) == 3
    assert Permit.objects.get().status == "used_up"
    assert verify().problems == []


# --- the end ---------------------------------------------------------------------------------------------------------
def test_it_expires():
    issued = permit()
    with time_machine.travel(issued.ends_at + timedelta(seconds=1), tick=False):
        with pytest.raises(Refused):
            run()
        assert (permits.expire_due(), permits.expire_due()) == (1, 0)
    issued.refresh_from_db()
    assert issued.status == "expired"
    assert verify().problems == []


@pytest.mark.parametrize(("who", "reason"), [("employee", ""), ("lead2", "enough"), ("admin", "enough")])
def test_it_is_revoked(who, reason):
    issued = permit()
    permits.revoke(permit_id=issued.pk, by=person(who), reason=reason)
    issued.refresh_from_db()
    assert (issued.status, issued.ended_by, issued.end_comment) == ("revoked", person(who), reason)
    with pytest.raises(Refused):
        run()
    with pytest.raises(Conflict, match="already revoked"):
        permits.revoke(permit_id=issued.pk, by=person(who), reason="again")
    assert verify().problems == []


def test_others_revoke_nothing_and_an_approver_says_why():
    issued = permit()
    with pytest.raises(Invalid, match="Say why"):
        permits.revoke(permit_id=issued.pk, by=person("lead"), reason=" ")
    for name in ("colleague", "stranger", "auditor"):
        with pytest.raises(Refused):
            permits.revoke(permit_id=issued.pk, by=person(name), reason="no")
    event = AuditEvent.objects.filter(verb=Verb.PERMIT_REVOKE_REFUSED).order_by("-seq")[0]
    assert (event.actor, event.target) == ("auditor", issued.ref)


def test_a_changed_row_is_found():
    issued = permit()
    Permit.objects.update(runs_allowed=99)
    assert issued.ref in verify().problems[0]
