"""What is found out about a deployment: what it can do, how its parts are, what Gatehouse's accounts lack there."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.access.actions import submit
from portal.airflow import clients, findings, health
from portal.airflow.models import DeploymentState
from portal.catalogue import queries as catalogue
from portal.catalogue.models import Dag, Deployment, Entitlement
from portal.core.errors import Refused
from tests import factories

pytestmark = pytest.mark.any_database


def found():
    return DeploymentState.objects.get()


def look_much_later():
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        health.check(Deployment.objects.get())


def test_an_airflow_3_with_all_there_is(airflow):
    assert found().auth_manager == "FAB"
    assert found().missing == {}
    assert found().cannot == []
    assert found().lacking == {"granter": [], "runner": []}
    assert found().health["scheduler"] == "healthy"


@pytest.fixture
def release(request):
    return getattr(request, "param", "3.3.2")


@pytest.fixture
def catalogue_in_force(request):
    return request.getfixturevalue("catalogue")  # the module of that name is in the way


@pytest.mark.parametrize("release", ["2.11.2"], indirect=True)
def test_an_airflow_2(airflow):
    assert (found().status, found().airflow_version) == ("up", "2.11.2")
    assert set(found().missing) == {"backfills", "human_tasks"}


@pytest.mark.parametrize("release", ["2.11.2", "3.3.2"], indirect=True)
def test_what_the_accounts_lack_is_said_with_what_it_is_for(airflow):
    airflow.state.roles["gatehouse-access"].permissions.remove(("can_create", "Roles"))
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_edit", "DAGs"))
    look_much_later()
    lacking = found().lacking
    assert lacking["granter"] == [["can_create on Roles", "make the roles for access to single DAGs"]]
    assert ["can_edit on DAGs", "run, pause and unpause them"] in lacking["runner"]


def test_nothing_is_missed_that_nobody_offers(airflow):
    airflow.state.roles["gatehouse-access"].permissions.difference_update(
        {("can_create", "Roles"), ("can_create", "Users")}
    )
    Entitlement.objects.filter(kind="dag").update(retired_at=timezone.now())
    Deployment.objects.update(create_users="never")
    look_much_later()
    assert found().lacking["granter"] == []
    assert findings.needed(Deployment.objects.get(), "runner")
    Dag.objects.update(retired_at=timezone.now())
    Deployment.objects.update(variables=[])
    assert set(findings.needed(Deployment.objects.get(), "runner")) == {("can_read", "DAGs")}  # to be known at all
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    assert ("can_edit", "Variables") in findings.needed(Deployment.objects.get(), "runner")


def test_a_runner_whose_name_is_not_known_finds_out_by_asking(airflow):
    deployment = Deployment.objects.get()
    deployment.accounts["runner"]["kind"] = "token"
    airflow.state.roles["gatehouse-runs"].permissions.remove(("can_create", "DAG Runs"))
    granter, runner = clients.client(deployment, "granter"), clients.client(Deployment.objects.get(), "runner")
    del deployment.accounts["runner"]["username"]
    state = DeploymentState(deployment=deployment)
    lacking = findings.find(state, granter, runner)["runner_lacks"]
    assert lacking == [["can_create on DAG Runs", "start runs"]]
    assert not [run for run in airflow.state.runs if run.dag_id not in airflow.state.dags]


@pytest.mark.parametrize(("release", "asked_for"), [("3.3.2", True), ("3.1.6", False)], indirect=["release"])
@pytest.mark.parametrize("reads_its_roles", [True, False])
def test_to_edit_roles_is_asked_for_where_roles_can_be_edited(airflow, asked_for, reads_its_roles):
    permissions = airflow.state.roles["gatehouse-access"].permissions
    permissions -= {("can_edit", "Roles")} if reads_its_roles else {("can_edit", "Roles"), ("can_read", "Roles")}
    airflow.state.invalidate_tokens()
    look_much_later()
    lacking = [what for what, _ in found().lacking["granter"]]
    assert ("can_edit on Roles" in lacking) == asked_for
    assert ("can_read on Roles" in lacking) == (not reads_its_roles)


def test_it_is_looked_into_now_and_then_and_its_health_each_time(airflow):
    asked, looked = len(airflow.calls("GET .*/roles/.*")), len(airflow.calls("GET .*/health"))
    health.check(Deployment.objects.get())
    assert len(airflow.calls("GET .*/roles/.*")) == asked
    assert len(airflow.calls("GET .*/health")) == looked + 1
    look_much_later()
    assert len(airflow.calls("GET .*/roles/.*")) > asked


@pytest.mark.parametrize("release", ["3.3.2-simple"], indirect=True)
def test_where_roles_cannot_be_given_nobody_can_ask_for_one(catalogue_in_force, fake):
    """The simple auth manager has no API for users and roles; running DAGs goes on."""
    for account in ("gatehouse-access", "gatehouse-runs"):
        fake.state.users[account].roles = ["op"]
    factories.look_at_all()
    assert found().status == "up"
    assert "users" in found().missing
    entitlement = catalogue.entitlement("demo/role/User")
    with pytest.raises(Refused, match="cannot give roles through Gatehouse") as caught:
        submit(
            by=factories.person("employee"),
            entitlement=entitlement,
            duration=timedelta(hours=1),
            reason="month-end close",
            ticket="",
        )
    assert caught.value.reason == "not_possible"


def test_rate_limits_are_shown_as_they_were_said(airflow):
    airflow.rate_limit_headers = {"RateLimit-Limit": "100", "RateLimit-Remaining": "7", "RateLimit-Reset": "30"}
    health.check(Deployment.objects.get())
    health.check(Deployment.objects.get())
    assert found().rate_limits["granter"] == {"limit": 100, "remaining": 7, "reset": 30.0}


def test_a_deployment_that_wants_fewer_questions_is_not_down(airflow):
    airflow.fail_next("GET .*", "429", times=99, retry_after="60")
    health.check(Deployment.objects.get())
    assert found().status == "up"
    assert found().checked_at is not None


def test_an_account_that_lost_its_role_is_not_an_airflow_that_is_away(airflow):
    airflow.state.users["gatehouse-access"].roles = []
    health.check(Deployment.objects.get())
    assert found().status == "needs_reauthentication"
    assert "gatehouse-access" in found().status_detail
    airflow.state.users["gatehouse-access"].roles = ["gatehouse-access"]
    health.check(Deployment.objects.get())
    assert found().status == "up"
