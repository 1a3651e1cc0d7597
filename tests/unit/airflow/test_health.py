"""How a deployment is found to be, account by account, and how often it is asked."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from airflow_bridge import RateLimited
from portal.access import grants
from portal.access.models import Grant
from portal.airflow import health, states
from portal.airflow.models import DeploymentState
from portal.catalogue.models import Dag, Deployment
from portal.dags import actions as dag_actions
from portal.dags.models import Run
from portal.dags.variables import reading
from portal.operations import outbox
from portal.worker import executor, polling
from tests import factories


def deployment():
    return Deployment.objects.get()


def state():
    return DeploymentState.objects.get()


def refuse(airflow, username):
    airflow.state.users[username].password = "rotated"
    airflow.state.invalidate_tokens()


def let_in(airflow, username):
    airflow.state.users[username].password = f"password of {username}"


def test_a_refused_account_for_runs_does_not_keep_access_from_ending(airflow, cast):
    grant = factories.grant_at_status("active")
    refuse(airflow, "gatehouse-runs")
    health.check(deployment())
    assert state().status == "needs_reauthentication"
    assert (state().refuses("granter"), state().refuses("runner")) == (False, True)
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    run = dag_actions.trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    factories.work_off()
    assert Grant.objects.get().status == "ended"
    assert "User" not in airflow.roles_of("employee")
    assert Run.objects.get(pk=run.pk).status == "requested"

    let_in(airflow, "gatehouse-runs")
    health.check(deployment())
    factories.work_off()
    assert Run.objects.get(pk=run.pk).status != "requested"


def test_a_refused_account_for_access_does_not_keep_runs_from_starting(airflow, cast):
    factories.request_at_status("approved")
    refuse(airflow, "gatehouse-access")
    run = dag_actions.trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={"region": "KR"})
    factories.work_off()
    assert (state().refuses("granter"), state().refuses("runner")) == (True, False)
    assert Run.objects.get(pk=run.pk).status != "requested"
    assert Grant.objects.get().status == "applying"

    let_in(airflow, "gatehouse-access")
    refuse(airflow, "gatehouse-runs")
    health.check(deployment())
    assert state().status == "needs_reauthentication"
    factories.work_off()
    assert Grant.objects.get().status == "active", "what one account waits for goes on though the other is refused now"


def test_nothing_is_read_with_a_refused_account(airflow):
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    refuse(airflow, "gatehouse-runs")
    health.check(deployment())
    airflow.requests.clear()
    with pytest.raises(reading.Unavailable, match="refuses"):
        reading.read(deployment(), "report_mode")
    assert airflow.requests == []


def test_while_it_refuses_it_is_asked_less_and_less_often(airflow):
    refuse(airflow, "gatehouse-runs")
    health.check(deployment())
    begun = timezone.now()
    looks = []
    for seconds in range(0, 3600, 15):
        with time_machine.travel(begun + timedelta(seconds=seconds), tick=False):
            before = state().checked_at
            factories.look_at_all()
            if state().checked_at != before:
                looks.append(seconds)
    assert looks[:2] == [15, 30]
    assert len(looks) < 25
    assert max(later - earlier for earlier, later in itertools.pairwise(looks)) <= 315


def test_until_when_it_wants_to_be_left_alone_is_kept(airflow):
    airflow.fail_next("GET .*", "429", times=99, retry_after="60")
    health.check(deployment())
    assert state().asks_to_wait and state().waits_until > timezone.now()
    assert state().examined_at is not None, "what was known is kept"


def test_until_when_it_wanted_to_be_left_alone_is_forgotten(airflow):
    factories.observe(asks_to_wait=True, waits_until=timezone.now())
    health.check(deployment())
    assert (state().asks_to_wait, state().waits_until) == (False, None)


def test_one_that_does_not_say_how_long(airflow):
    assert health.findings.asks_to_wait(RateLimited("x")) == {"asks_to_wait": True, "waits_until": None}


def test_health_that_is_not_told_is_no_reason_to_call_it_away(airflow):
    airflow.fail_next("GET .*/monitor/health", "404", times=9)
    health.check(deployment())
    assert (state().status, state().health) == ("up", {})


def test_what_was_found_goes_with_what_it_was_found_of(airflow, tmp_path, catalogue):
    assert state().auth_manager == "FAB"
    source = factories.CATALOGUE.read_text().replace(factories.WRITTEN_URL, "http://127.0.0.1:1")
    factories.offer(tmp_path, source=source)
    found, unknown = state(), DeploymentState()
    for column in states.OBSERVED:
        assert getattr(found, column) == getattr(unknown, column), column
    assert found.status == "up", "until it is checked again"


def test_what_ends_on_a_deployment_that_left_the_catalogue_is_taken_away(airflow, cast):
    grant = factories.grant_at_status("active")
    Deployment.objects.update(retired_at=timezone.now())
    factories.observe(status="down", checked_at=None)
    factories.look_at_all()
    assert state().status == "down", "there is nothing to be done there"
    grants.hand_back(grant_id=grant.pk, by=cast["employee"])
    factories.look_at_all()
    factories.work_off()
    assert Grant.objects.get().status == "ended"


def test_both_accounts_refused_at_the_same_moment(airflow):
    """Each by a worker that read the deployment while all was well."""
    one, other = deployment(), deployment()
    health.refuse(one, "runner", "no")
    health.refuse(other, "granter", "no")
    assert (state().refuses("granter"), state().refuses("runner")) == (True, True)


@pytest.mark.parametrize("account", ["gatehouse-access", "gatehouse-runs"])
def test_one_call_that_fails_alone_is_said_and_is_not_down(airflow, account):
    pattern = "GET .*/users.*" if account == "gatehouse-access" else "GET .*/dags.*"
    health.check(deployment())  # from then on, each account's client knows which call it may make
    airflow.fail_next(pattern, "close", times=99)
    health.check(deployment())
    assert state().status == "up"
    assert state().status_detail


def test_several_different_calls_that_fail_are_down(airflow):
    airflow.fail_next("GET .*", "close", times=99)
    health.check(deployment())
    assert state().status == "down"


@pytest.fixture
def woken(monkeypatch):
    """How often this process's worker was told to look for operations."""
    found = []
    monkeypatch.setattr(outbox, "wake_here", lambda: found.append(1))
    return found


@pytest.mark.parametrize(("status", "wakes"), [("down", True), ("needs_reauthentication", True), ("up", False)])
def test_operations_continue_at_once_when_a_deployment_is_back(airflow, woken, status, wakes):
    factories.observe(status=status, checked_at=None)
    polling.Poller().visit(deployment())
    assert (state().status, bool(woken)) == ("up", wakes)


@pytest.mark.parametrize(("status", "wakes"), [("down", True), ("up", False)])
def test_a_refusal_of_one_account_lets_the_other_continue_where_the_deployment_was_down(airflow, woken, status, wakes):
    factories.request_at_status("approved")
    claimed = outbox.claim(factories.due()[0], worker="test")
    refuse(airflow, "gatehouse-access")
    factories.observe(status=status)
    woken.clear()
    executor.execute(claimed)
    assert state().status == "needs_reauthentication"
    assert (state().can_be_worked_on("runner"), bool(woken)) == (True, wakes)
