"""Variables: the catalogue says which; the change is an operation, proved and recorded."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error as DatabaseError

from accounts.operator import Operator
from airflow_bridge.fake import FakeRole
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.dags import variables
from portal.errors import Invalid, Refused
from portal.operations.models import Operation
from tests import factories

BY = Operator("tests")


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    return request.param


@pytest.fixture
def deployment(airflow):
    runner = airflow.state.roles["gatehouse-runs"]
    assert isinstance(runner, FakeRole)
    runner.permissions |= {(action, "Variables") for action in ("can_read", "can_edit", "can_create")}
    Deployment.objects.update(variables=["report_mode"])
    return Deployment.objects.get()


def change(deployment, key="report_mode", value="fast", reason="quarter end"):
    return variables.change(by=BY, deployment=deployment, key=key, value=value, reason=reason)


def verbs():
    return list(AuditEvent.objects.order_by("seq").values_list("verb", flat=True))


def test_a_variable_is_made_and_changed_and_both_are_recorded(airflow, deployment):
    assert variables.read(deployment, "report_mode") is None
    change(deployment, value="fast")
    factories.work_off()
    operation = change(deployment, value="slow")
    factories.work_off()
    operation.refresh_from_db()
    assert (operation.status, operation.before, operation.after) == ("succeeded", {"value": "fast"}, {"value": "slow"})
    assert variables.read(deployment, "report_mode") == "slow"
    assert verbs()[-2:] == [Verb.VARIABLE_CHANGE_REQUESTED, Verb.VARIABLE_CHANGED]


def test_what_has_the_value_already_is_not_written(airflow, deployment):
    change(deployment)
    factories.work_off()
    change(deployment)
    factories.work_off()
    assert len(airflow.calls("(PATCH|POST) .*/variables.*")) == 2  # not there yet, so made


def test_a_variable_that_the_catalogue_does_not_name_is_not_touched(airflow, deployment):
    with pytest.raises(Refused, match="it offers report_mode") as caught:
        change(deployment, key="fernet")
    assert caught.value.reason == "not_offered"
    with pytest.raises(Refused):
        variables.read(deployment, "fernet")
    assert not Operation.objects.exists()
    assert not airflow.calls(".*/variables.*")
    assert verbs()[-1] == Verb.VARIABLE_CHANGE_REFUSED


def test_one_taken_out_of_the_catalogue_meanwhile_is_given_up(airflow, deployment):
    change(deployment)
    Deployment.objects.update(variables=[])
    factories.work_off()
    assert Operation.objects.get().status == "failed"
    assert not airflow.calls(".*/variables.*")
    assert verbs()[-1] == Verb.VARIABLE_CHANGE_FAILED


@pytest.mark.parametrize(("changed", "field"), [({"reason": " "}, "reason"), ({"value": "x" * 4001}, "value")])
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
    factories.work_off()
    call_command("variable", "get", "--deployment", "demo", "report_mode", stdout=said)
    assert said.getvalue().splitlines()[-1] == "fast"
    for arguments in (["--deployment", "demo", "other"], ["--deployment", "nowhere", "report_mode"]):
        with pytest.raises(CommandError):
            call_command("variable", "get", *arguments)
