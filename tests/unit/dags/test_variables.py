"""Variables: the catalogue says which; the change is an operation, proved and recorded."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
import time_machine
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error as DatabaseError
from django.utils import timezone

from accounts.operator import Operator
from portal.audit.models import AuditEvent
from portal.audit.presenters import sentence
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.core.errors import Invalid, Refused
from portal.dags.variables import changing, reading
from portal.operations.models import Operation
from tests import factories
from tests.fake_airflow import FakeRole
from tests.fake_airflow.rows import FakeVariable

pytestmark = pytest.mark.any_database

BY = Operator("tests")


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    return request.param


@pytest.fixture
def deployment(airflow):
    runner = airflow.state.roles["gatehouse-runs"]
    assert isinstance(runner, FakeRole)
    runner.permissions |= {(action, "Variables") for action in ("can_read", "can_edit", "can_create")}
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    return Deployment.objects.get()


def change(deployment, key="report_mode", value="fast", reason="quarter end"):
    return changing.change(by=BY, deployment=deployment, key=key, value=value, reason=reason)


def test_a_variable_is_made_and_changed_and_both_are_recorded(airflow, deployment):
    assert reading.read(deployment, "report_mode") is None
    change(deployment, value="fast")
    factories.work_off()
    operation = change(deployment, value="slow")
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"value": "fast"}, {"value": "slow"})
    assert reading.read(deployment, "report_mode") == "slow"
    assert factories.verbs()[-2:] == [Verb.VARIABLE_CHANGE_REQUESTED, Verb.VARIABLE_CHANGED]


def test_it_is_never_named_like_a_dag(airflow, deployment):
    Deployment.objects.update(variables=[{"key": "sales_report"}])
    operation = change(Deployment.objects.get(), key="sales_report")
    assert operation.subject == "demo/variable/sales_report"
    event = AuditEvent.objects.get(verb=Verb.VARIABLE_CHANGE_REQUESTED)
    assert event.target == "demo/variable/sales_report"
    assert sentence(event) == "os:tests asked to change the variable sales_report on demo: “quarter end”"


def postponed(airflow, deployment, **asked):
    """A change whose first attempt found no Airflow, and that is to be tried again at some later time."""
    operation = change(deployment, **asked)
    airflow.stop()
    factories.work_off()
    airflow.start()
    factories.observe(status="up")
    Operation.objects.update(not_before=timezone.now() + timedelta(minutes=5))
    return operation


def try_again():
    Operation.objects.filter(status="queued").update(not_before=timezone.now())
    factories.work_off()


@pytest.mark.parametrize("done", [True, False])
def test_an_older_change_does_not_undo_a_newer_one(airflow, deployment, done):
    old = postponed(airflow, deployment, value="old")
    new = change(deployment, value="new")
    if done:
        factories.work_off()
    try_again()
    assert reading.read(deployment, "report_mode") == "new"
    old.refresh_from_db()
    assert (old.status, old.error.split()[0]) == ("superseded", new.ref)
    event = AuditEvent.objects.get(verb=Verb.VARIABLE_CHANGE_LEFT_OUT)
    assert (event.operation, json.loads(event.payload)["detail"]["later"]) == (old.ref, new.ref)
    assert sentence(event) == f"A change of report_mode on demo was skipped ({old.ref}): {new.ref} is newer"


@pytest.mark.parametrize("come_to_nothing", ["failed", "cancelled", "superseded"])
def test_a_newer_change_that_came_to_nothing_is_in_nobodys_way(airflow, deployment, come_to_nothing):
    postponed(airflow, deployment, value="old")
    new = change(deployment, value="new")
    Operation.objects.filter(pk=new.pk).update(status=come_to_nothing, settled_at=timezone.now())
    try_again()
    assert reading.read(deployment, "report_mode") == "old"


def test_nothing_is_left_out_where_the_trail_cannot_be_written(airflow, deployment, request):
    old = postponed(airflow, deployment, value="old")
    change(deployment, value="new")
    factories.work_off()
    request.getfixturevalue("broken_trail")
    try_again()
    old.refresh_from_db()
    assert old.status == "running"  # until its lease is over


def test_nothing_is_changed_an_hour_late(airflow, deployment):
    operation = postponed(airflow, deployment)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        try_again()
    operation.refresh_from_db()
    assert operation.status == "failed"
    assert "within one hour after the request" in operation.error
    assert reading.read(deployment, "report_mode") is None
    assert factories.verbs()[-1] == Verb.VARIABLE_CHANGE_FAILED


def test_but_what_was_changed_before_is_found(airflow, deployment):
    operation = postponed(airflow, deployment)
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", "fast", None)
    with time_machine.travel(timezone.now() + timedelta(minutes=61)):
        try_again()
    operation.refresh_from_db()
    assert (operation.status, operation.after) == ("succeeded", {"value": "fast"})


def test_a_deployment_that_is_not_in_the_catalogue_any_more_is_left_alone(airflow, deployment):
    operation = change(deployment)
    Deployment.objects.update(retired_at=timezone.now())
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, factories.verbs()[-1]) == ("failed", Verb.VARIABLE_CHANGE_FAILED)
    assert "no longer in the catalogue" in operation.error
    with pytest.raises(Refused) as caught:
        change(Deployment.objects.get())
    assert caught.value.reason == "retired"
    assert not airflow.calls("(PATCH|POST) .*/variables.*")


SECRETS = ["db_password", "PASSWD", "a.secret.b", "slack_token", "api_key", "Api-Key", "APIKEY", "authorization"]


@pytest.mark.parametrize("key", [*SECRETS, "passphrase", "ssh private key", "access_token", "http_proxy"])
def test_what_sounds_like_a_secret_is_refused(airflow, deployment, key):
    Deployment.objects.update(variables=[{"key": key}])
    deployment = Deployment.objects.get()
    for attempt in (lambda: change(deployment, key=key, value="hunter2"), lambda: reading.read(deployment, key)):
        with pytest.raises(Refused, match="sounds like a secret") as caught:
            attempt()
        assert caught.value.reason == "secret"
    assert "hunter2" not in "".join(AuditEvent.objects.values_list("payload", flat=True))
    assert not Operation.objects.exists()


@pytest.mark.parametrize("value", ['{"password": "hunter2"}', '[{"hosts": {"api-key": ["hunter2", 1]}}]'])
def test_secrets_inside_of_a_value_are_refused_too(airflow, deployment, value):
    with pytest.raises(Invalid, match=r"“(password|api-key)” sounds like a secret") as caught:
        change(deployment, value=value)
    assert list(caught.value.fields) == ["value"]
    assert "hunter2" not in "".join(AuditEvent.objects.values_list("payload", flat=True))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ('{"p\\u0061ssword": "hunter2", "p\\u0061ssword": ""}', "“password” is given twice"),
        ('{"password": "***"}', "the mark for a hidden secret"),
        ("***", "the mark for a hidden secret"),
        ("half a character: \ud800", "cannot be stored"),
    ],
)
def test_a_value_that_cannot_be_checked_or_kept_is_refused(airflow, deployment, value, words):
    with pytest.raises(Invalid, match=words) as caught:
        change(deployment, value=value)
    assert list(caught.value.fields) == ["value"]


@pytest.mark.parametrize("value", ["", " fast ", "password", '{"n":  [1, null]}', '{"max_tokens": 7}', "1e3", "[" * 9])
def test_other_values_stay_as_they_are(airflow, deployment, value):
    operation = change(deployment, value=value)
    factories.work_off()
    assert airflow.state.variables["report_mode"].value == value
    operation.refresh_from_db()
    assert operation.after == {"value": reading.read(deployment, "report_mode")}  # as this Airflow shows it


def test_what_is_kept_is_what_airflow_shows(airflow, deployment, release):
    operation = change(deployment, value='{"n":1}')
    factories.work_off()
    operation.refresh_from_db()
    assert operation.after == {"value": '{"n": 1}' if release == "3.3.2" else '{"n":1}'}  # 3 writes JSON its own way


def test_a_secret_that_was_there_before_is_not_kept(airflow, deployment):
    there = '{"mode": "ä", "hosts": [{"token": "hunter2"}]}'
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", there, None)
    operation = change(deployment)
    factories.work_off()
    operation.refresh_from_db()
    assert json.loads(operation.before["value"]) == {"mode": "ä", "hosts": [{"token": "***"}]}
    assert "hunter2" not in "".join(AuditEvent.objects.values_list("payload", flat=True))


def test_a_secret_whose_name_is_there_twice_is_not_kept(airflow, deployment):
    there = '{"p\\u0061ssword": "hunter2", "p\\u0061ssword": ""}'  # programs differ in which of the two values counts
    airflow.state.variables["report_mode"] = FakeVariable("report_mode", there, None)
    operation = change(deployment)
    factories.work_off()
    operation.refresh_from_db()
    assert "hunter2" not in operation.before["value"]
    assert "hunter2" not in "".join(AuditEvent.objects.values_list("payload", flat=True))


def test_reading_is_no_event(airflow, deployment):
    before = factories.verbs()
    reading.read(deployment, "report_mode")
    assert factories.verbs() == before


def test_what_has_the_value_already_is_not_written(airflow, deployment):
    change(deployment)
    factories.work_off()
    change(deployment)
    factories.work_off()
    assert len(airflow.calls("(PATCH|POST) .*/variables.*")) == 2  # not there yet, so made


def test_a_variable_that_the_catalogue_does_not_name_is_not_touched(airflow, deployment):
    with pytest.raises(Refused, match="Name it under variables") as caught:
        change(deployment, key="fernet")
    assert caught.value.reason == "not_offered"
    with pytest.raises(Refused):
        reading.read(deployment, "fernet")
    assert not Operation.objects.exists()
    assert not airflow.calls(".*/variables.*")
    assert factories.verbs()[-1] == Verb.VARIABLE_CHANGE_REFUSED


def test_one_taken_out_of_the_catalogue_meanwhile_is_given_up(airflow, deployment):
    change(deployment)
    Deployment.objects.update(variables=[])
    factories.work_off()
    assert Operation.objects.get().status == "failed"
    assert not airflow.calls(".*/variables.*")
    assert factories.verbs()[-1] == Verb.VARIABLE_CHANGE_FAILED


@pytest.mark.parametrize(
    ("changed", "field"),
    [({"reason": " "}, "reason"), ({"value": "x" * 4001}, "value"), ({"value": "[" * 2000 + "]" * 2000}, "value")],
)
def test_what_is_missing_or_too_much(deployment, changed, field):
    with pytest.raises(Invalid) as caught:
        change(deployment, **changed)
    assert field in caught.value.fields


def test_nothing_is_asked_where_the_trail_cannot_be_written(deployment, broken_trail):
    with pytest.raises(DatabaseError):
        change(deployment)
    assert not Operation.objects.exists()


def test_at_the_command_line(airflow, deployment):
    said = io.StringIO()
    call_command("variable", "set", "--deployment", "demo", "report_mode", "fast", "--reason", "why", stdout=said)
    assert said.getvalue() == f"{Operation.objects.get().ref}: report_mode on demo will be changed by a worker\n"
    factories.work_off()
    call_command("variable", "get", "--deployment", "demo", "report_mode", stdout=said)
    assert said.getvalue().splitlines()[-1] == "fast"
    for arguments in (["--deployment", "demo", "other"], ["--deployment", "nowhere", "report_mode"]):
        with pytest.raises(CommandError):
            call_command("variable", "get", *arguments)


@pytest.mark.parametrize("value", ["18446744073709551616", '{"n": [-9223372036854775809]}', "9" * 3999])
def test_json_with_integers_beyond_64_bits_is_refused(airflow, deployment, value):
    with pytest.raises(Invalid, match="more than 64 bits"):
        change(deployment, value=value)
    assert not Operation.objects.exists()


def test_a_text_of_digits_and_letters_is_no_number(airflow, deployment):
    change(deployment, value="v18446744073709551616")
    assert Operation.objects.exists()
