"""A read-only Airflow: operations wait, use up no attempt, say why, and continue when it is switched back."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.access import grants, upkeep
from portal.access.models import Grant
from portal.audit.verbs import Verb
from portal.catalogue.models import Deployment
from portal.operations import outbox, queries
from portal.operations.models import Operation
from portal.worker import alarms, executor, readiness
from tests.factories import grant_at_status, offer_renamed, verbs, work_off, work_on

WHY = "demo is read-only: nothing is changed in this Airflow."


def switch(on):
    Deployment.objects.filter(retired_at=None).update(read_only=on)


@pytest.fixture
def applying(member):
    return grant_at_status("applying")


def test_access_is_given_after_the_switch_is_off(member, applying):
    switch(True)
    assert work_off() == 0
    [operation] = Operation.objects.all()
    assert operation.attempts == 0
    assert queries.why_waiting(operation).startswith(WHY)
    assert "User" not in member.roles_of("employee")
    switch(False)
    work_on()
    applying.refresh_from_db()
    assert applying.status == "active"


def test_access_that_waits_for_the_switch_does_not_fail(member, applying):
    switch(True)
    with time_machine.travel(applying.apply_by + timedelta(minutes=1), tick=False):
        assert upkeep.give_up_overdue() == 0
        switch(False)
        assert upkeep.give_up_overdue() == 1


def test_an_operation_that_has_begun_stops_before_its_change(member, applying):
    operation = outbox.claim(Operation.objects.get().pk, worker="here")
    switch(True)
    executor.execute(operation)
    operation.refresh_from_db()
    assert (operation.status, operation.failures) == ("queued", 0)
    assert operation.waiting_for.startswith(WHY)
    assert "User" not in member.roles_of("employee")


def test_a_removal_waits_and_is_reported_as_overdue(member):
    grant = grant_at_status("active")
    switch(True)
    grants.hand_back(grant_id=grant.pk, by=grant.beneficiary)
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert work_off() == 0
        assert alarms.raise_of_old() == 1
        assert verbs()[-1] == Verb.GRANT_END_FAILED
        found = readiness.look()
        assert any(note.startswith("Removals that do not succeed: 1") for note in found.notes)
        assert not [problem for problem in found.problems if "emoval" in problem]
        assert Grant.objects.get().status == "ending"
        switch(False)
        work_on()
    assert Grant.objects.get().status == "ended"


def test_operations_under_an_earlier_name_wait_too(member, tmp_path):
    grant = grant_at_status("active")
    grants.hand_back(grant_id=grant.pk, by=grant.beneficiary)
    offer_renamed(tmp_path, url=member.url)
    assert Operation.objects.last().deployment.retired_at
    switch(True)
    assert work_off() == 0
    switch(False)
    work_on()
    assert "User" not in member.roles_of("employee")
