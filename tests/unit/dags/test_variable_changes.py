"""Changes of variables by people: who may, by which approval, and which values."""

from __future__ import annotations

import json

import pytest
from django.db import Error as DatabaseError
from django.utils import timezone

from accounts.operator import Operator
from portal.approvals import actions, resubmitting
from portal.approvals import queries as requests
from portal.audit import verify
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.core.errors import Conflict, Invalid, Refused
from portal.dags.models import VariableRequest, VariableState
from portal.dags.variables import changing, observing, offered
from portal.dags.variables.variable_kind import VARIABLES
from portal.operations.models import Operation
from tests import factories
from tests.fake_airflow.rows import FakeVariable

pytestmark = [pytest.mark.django_db, pytest.mark.any_database]
WHO = {"who": ["group:sales"], "policy": "one-lead"}
NUMBER = {"key": "report_days", "schema": {"type": "integer", "minimum": 1, "maximum": 31}, **WHO}


@pytest.fixture
def deployment(airflow):
    entries = [{"key": "report_mode", "schema": {"enum": ["full", "fast"]}, **WHO}, NUMBER, {"key": "bare"}]
    Deployment.objects.update(variables=entries)
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", "full", None)
    return Deployment.objects.get()


def change(deployment, who="colleague", key="report_mode", value="fast", reason="quarter end"):
    return changing.change(by=factories.person(who), deployment=deployment, key=key, value=value, reason=reason)


def ask(deployment, who="employee", key="report_mode", value="fast", reason="quarter end", **given):
    return changing.ask(by=factories.person(who), deployment=deployment, key=key, value=value, reason=reason, **given)


def approve(request, who="lead", **given):
    actions.approve(request_id=request.pk, by=factories.person(who), **given)
    return VariableRequest.objects.get(pk=request.pk)


def value_in(airflow, key="report_mode"):
    found = airflow.state.variables.get(key)
    return found.value if found else None


# --- who -------------------------------------------------------------------------------------------------------------
def test_who_changes_it_at_once(airflow, deployment):
    operation = change(deployment)
    factories.work_off()
    operation.refresh_from_db()
    assert (value_in(airflow), operation.before, operation.requested_by) == ("fast", {"value": "full"}, "colleague")


@pytest.mark.parametrize(
    ("who", "reason", "words"),
    [
        ("employee", "needs_approval", "only with an approval"),
        ("stranger", "not_eligible", "Allowed: group sales"),
        ("admin", "not_eligible", "Allowed: group sales"),
    ],
)
def test_others_are_refused_with_the_reason(airflow, deployment, who, reason, words):
    with pytest.raises(Refused, match=words) as caught:
        change(deployment, who)
    assert caught.value.reason == reason
    assert not Operation.objects.exists()
    assert factories.verbs()[-1] == Verb.VARIABLE_CHANGE_REFUSED


@pytest.mark.parametrize(("who", "allowed"), [("admin", True), ("colleague", False), ("auditor", False)])
def test_a_bare_name_is_for_the_admins(airflow, deployment, who, allowed):
    if allowed:
        assert change(deployment, who, key="bare").requested_by == who
    else:
        with pytest.raises(Refused, match="Allowed: the admins"):
            change(deployment, who, key="bare")


@pytest.mark.parametrize(
    ("who", "seen"),
    [
        ("employee", {"report_mode", "report_days"}),
        ("colleague", {"report_mode", "report_days"}),
        ("stranger", set()),
        ("security", set()),
        ("admin", {"report_mode", "report_days", "bare"}),
        ("auditor", {"report_mode", "report_days", "bare"}),
    ],
)
def test_who_sees_which(deployment, who, seen):
    assert {one.key for one in offered.visible_to(factories.person(who))} == seen


# --- values ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("report_mode", "slow", "choose one of full, fast"),
        ("report_mode", "", "choose one of full, fast"),
        ("report_days", "32", "at most 31"),
        ("report_days", "0", "at least 1"),
        ("report_days", "many", "must be JSON"),
        ("report_days", '"7"', "enter a whole number"),
        ("report_days", "7.5", "enter a whole number"),
    ],
)
@pytest.mark.parametrize("act", [change, ask], ids=["change", "ask"])
def test_a_value_outside_the_schema_is_refused_with_what_is_allowed(airflow, deployment, act, key, value, words):
    with pytest.raises(Invalid) as caught:
        act(deployment, key=key, value=value)
    assert words in caught.value.fields["value"]
    assert not Operation.objects.exists()
    assert not VariableRequest.objects.exists()


def test_every_wrong_field_is_named_at_once(deployment):
    with pytest.raises(Invalid) as caught:
        change(deployment, value="slow", reason="")
    assert set(caught.value.fields) == {"value", "reason"}
    with pytest.raises(Invalid) as caught:
        ask(deployment, value="slow", reason="")
    assert set(caught.value.fields) == {"value", "reason"}


def test_a_number_is_sent_as_json(airflow, deployment):
    change(deployment, key="report_days", value="7")
    factories.work_off()
    assert value_in(airflow, "report_days") == "7"


def test_a_double_click_is_one_change(airflow, deployment):
    first, second = change(deployment), change(deployment)
    assert (first.pk, Operation.objects.count()) == (second.pk, 1)
    assert change(deployment, value="full").pk != first.pk


def test_after_a_lost_answer_the_old_value_is_known(airflow, deployment):
    operation = change(deployment)
    airflow.fail_next("PATCH .*/variables/report_mode", "drop", times=99)
    factories.work_off()
    assert change(deployment).pk == operation.pk  # it is still on its way
    factories.work_on()
    operation.refresh_from_db()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"value": "full"}, {"value": "fast"})
    assert AuditEvent.objects.get(verb=Verb.VARIABLE_CHANGED).detail["before"] == "full"


# --- by approval -----------------------------------------------------------------------------------------------------
def test_an_approved_change_is_made_and_recorded(airflow, deployment):
    request = ask(deployment)
    assert request.status == "pending"
    assert not Operation.objects.exists()
    request = approve(request)
    assert request.operation.requested_by == "employee"
    factories.work_off()
    assert value_in(airflow) == "fast"
    told = [sentence(event) for event in AuditEvent.objects.order_by("seq")][-4:]
    assert told[0] == (f"employee asked for the variable report_mode on demo to be fast ({request.ref}): “quarter end”")
    assert told[1] == f"lead approved {request.ref}"
    assert (
        told[2]
        == f"Gatehouse asked to change the variable report_mode on demo, approved as {request.ref}: “quarter end”"
    )
    assert told[3] == "The variable report_mode on demo is changed: Airflow confirms it, as employee asked"
    assert not verify.verify().problems


def test_the_requester_cannot_decide(deployment):
    request = ask(deployment, who="lead")
    with pytest.raises(Refused) as caught:
        approve(request, "lead")
    assert caught.value.reason == "own_request"
    assert approve(request, "lead2").status == "approved"


def test_a_denied_change_changes_nothing(airflow, deployment):
    request = ask(deployment)
    actions.deny(request_id=request.pk, by=factories.person("lead"), comment="not now")
    factories.work_off()
    assert value_in(airflow) == "full"
    assert not Operation.objects.exists()


def test_a_returned_change_is_sent_again_with_another_value(airflow, deployment):
    request = ask(deployment, key="report_days", value="31")
    actions.return_for_changes(request_id=request.pk, by=factories.person("lead"), comment="fewer")
    asker = factories.person("employee")
    with pytest.raises(Invalid, match="at most 31"):
        resubmitting.resubmit(request_id=request.pk, by=asker, reason="less", own={"value": "99"})
    resubmitting.resubmit(request_id=request.pk, by=asker, reason="less", own={"value": "7"})
    approve(request, round=2)
    factories.work_off()
    assert value_in(airflow, "report_days") == "7"
    assert not verify.verify().problems


def test_the_same_form_sent_twice_is_one_request(deployment):
    first, second = ask(deployment, form="f" * 32), ask(deployment, form="f" * 32)
    assert (first.pk, second.sent_again) == (second.pk, True)
    with pytest.raises(Conflict) as caught:
        ask(deployment, value="full")
    assert caught.value.reason == "already_open"


def test_a_change_without_a_policy_cannot_be_asked_for(deployment):
    with pytest.raises(Refused, match="the admins") as caught:
        ask(deployment, who="admin", key="bare")
    assert caught.value.reason == "not_offered"
    with pytest.raises(Refused) as caught:
        ask(deployment, who="stranger")
    assert caught.value.reason == "not_eligible"


CHANGED = {
    "the schema": ([{"key": "report_mode", "schema": {"enum": ["full"]}, **WHO}], "no longer allows this value"),
    "the offer": ([], "does not offer the variable"),
    "the policy": ([{"key": "report_mode", "who": ["group:sales"]}], "cannot be asked for"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_the_catalogue_in_force_is_checked_at_the_approval(airflow, deployment, what):
    request, (entries, words) = ask(deployment), CHANGED[what]
    Deployment.objects.update(variables=entries)
    with pytest.raises(Refused, match=words):
        approve(request)
    assert not Operation.objects.exists()


@pytest.mark.parametrize("what", CHANGED)
def test_and_again_right_before_the_change(airflow, deployment, what):
    request, (entries, words) = approve(ask(deployment)), CHANGED[what]
    Deployment.objects.update(variables=entries)
    factories.work_off()
    operation = Operation.objects.get()
    said = "may no longer change report_mode" if what == "the policy" else words
    assert (operation.status, said in operation.error) == ("failed", True), operation.error
    assert value_in(airflow) == "full"
    request.refresh_from_db()
    assert factories.verbs()[-1] == Verb.VARIABLE_CHANGE_FAILED


@pytest.mark.parametrize(("who", "act"), [("colleague", change), ("employee", lambda where: approve(ask(where)))])
def test_who_may_no_longer_act_changes_nothing(airflow, deployment, who, act):
    act(deployment)
    factories.person(who).groups.clear()
    factories.work_off()
    operation = Operation.objects.get()
    assert operation.status == "failed"
    assert f"{who}, who asked for it, may no longer change report_mode" in operation.error
    assert value_in(airflow) == "full"


def test_an_operator_may_change_each_one(airflow, deployment):
    changing.change(by=Operator("ops"), deployment=deployment, key="report_mode", value="fast", reason="incident")
    factories.work_off()
    assert value_in(airflow) == "fast"


def test_the_stored_value_is_compared_with_its_event(deployment):
    request = ask(deployment)
    VariableRequest.objects.filter(pk=request.pk).update(value="full")
    with pytest.raises(Refused) as caught:
        approve(request)
    assert caught.value.reason == "changed_outside"


def test_nothing_is_changed_or_asked_without_the_trail(deployment, request):
    request.getfixturevalue("broken_trail")
    for act in (change, ask):
        with pytest.raises(DatabaseError):
            act(deployment)
    assert not Operation.objects.exists()
    assert not VariableRequest.objects.exists()


def test_approvers_and_requester_see_the_request(deployment):
    request = ask(deployment)
    seen = {
        name for name in factories.NAMES if requests.visible_to(factories.person(name), VariableRequest.objects.all())
    }
    assert seen == {"employee", "lead", "lead2", "auditor", "admin"}
    assert requests.request_for(factories.person("lead"), request.pk).value == "fast"


# --- the stored value ------------------------------------------------------------------------------------------------
def state(key="report_mode"):
    return VariableState.objects.get(key=key)


def read_all():
    VariableState.objects.all().delete()
    factories.read_variables()


def test_the_worker_reads_every_offered_variable(airflow, deployment):
    airflow.state.variables["other"] = FakeVariable("other", "1", None)
    read_all()
    found = dict(VariableState.objects.values_list("key", "value"))
    assert found == {"report_mode": "full", "report_days": None, "bare": None}
    assert not airflow.calls("GET .*/variables/other")
    assert not airflow.calls(r"GET .*/variables(\?.*)?$")  # never the list: it holds other people's secrets
    assert not observing.due_deployments()


def test_a_change_is_stored_with_who_made_it_and_one_in_airflow_without(airflow, deployment):
    operation = change(deployment)
    factories.work_off()
    assert (state().value, state().operation) == ("fast", operation)
    read_all()
    assert state().operation == operation
    airflow.state.variables["report_mode"].value = "full"
    read_all()
    assert (state().value, state().operation) == ("full", None)


def test_an_answer_from_before_a_change_does_not_overwrite_it(airflow, deployment):
    before = timezone.now()
    change(deployment)
    factories.work_off()
    old = type("Seen", (), {"value": "full", "description": ""})()
    observing.observe(offered.find(deployment, "report_mode"), old, asked_at=before)
    assert state().value == "fast"


def test_secrets_in_a_value_are_not_stored(airflow, deployment):
    airflow.state.variables["bare"] = FakeVariable("bare", '{"password": "hunter2"}', None)
    read_all()
    assert json.loads(state("bare").value) == {"password": "***"}


def test_a_long_value_is_not_stored(airflow, deployment):
    airflow.state.variables["bare"] = FakeVariable("bare", "x" * 5000, None)
    read_all()
    assert (state("bare").value, "more than 4000 characters" in state("bare").problem) == (None, True)


def test_a_failed_reading_keeps_the_value_and_says_why(airflow, deployment):
    read_all()
    airflow.state.roles["gatehouse-runs"].permissions.discard(("can_read", "Variables"))
    VariableState.objects.update(tried_at=timezone.now() - observing.EVERY)
    factories.read_variables()
    assert state().value == "full"
    assert "can_read on Variables" in state().problem


def test_the_history_goes_on_under_a_new_name(airflow, deployment):
    old = change(deployment)
    factories.work_off()
    Deployment.objects.update(retired_at=timezone.now())
    entries = Deployment.objects.get().variables
    columns = {name: getattr(deployment, name) for name in ("url", "api", "accounts", "options")}
    main = Deployment.objects.create(name="main", variables=entries, **columns)
    assert observing.changes_of(offered.find(main, "report_mode"), most=5) == [old]


def test_other_variables_are_not_named_to_the_requester(deployment):
    request = ask(deployment)
    Deployment.objects.update(variables=[{"key": "for_others"}])
    assert "report_mode" in VARIABLES.outdated(request)
    assert "for_others" not in VARIABLES.outdated(request)
