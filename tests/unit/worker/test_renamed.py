"""A deployment that the catalogue calls by another name: what was asked for under the old one goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.access import grants
from portal.access.models import Grant
from portal.airflow import clients
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag, Deployment
from portal.dags.actions import trigger
from portal.dags.models import Run
from portal.dags.pauses.pausing import pause, unpause
from portal.dags.variables import changing, reading
from portal.operations.models import Operation
from portal.web.runs import run_view
from portal.worker import polling, timers
from tests import factories

HOURS = timedelta(hours=1)


def fresh(grant):
    return Grant.objects.get(pk=grant.pk)


def operations_of(grant, kind):
    return Operation.objects.filter(subject=grant.ref, kind=kind)


@pytest.fixture
def renamed(member, tmp_path):
    """The deployment `demo` is called `main` from now on, at the same address."""

    def rename():
        return factories.offer_renamed(tmp_path, url=member.url.upper().replace("HTTP", "http"))

    return rename


def test_one_airflow_under_two_names_keeps_what_either_requires(member, cast, renamed):
    old = factories.grant_at_status("active")
    renamed()
    factories.look_at_all()
    new = factories.grant_at_status("active", entitlement="main/role/User")
    assert Operation.objects.values("ordering_key").distinct().count() == 1
    grants.revoke(grant_id=old.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert (fresh(old).status, fresh(new).status) == ("ended", "active")
    assert "User" in member.roles_of("employee")
    grants.revoke(grant_id=new.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert member.roles_of("employee") == {"Public"}


def test_a_renamed_deployment_is_spoken_to_as_it_is_described_now(member, cast, renamed, monkeypatch):
    old = factories.grant_at_status("active")
    renamed()
    Deployment.objects.filter(name="demo").update(accounts={})  # its secrets may be gone
    factories.look_at_all()
    grants.revoke(grant_id=old.pk, by=cast["lead"], reason="over")
    factories.work_on()
    assert fresh(old).status == "ended" and member.roles_of("employee") == {"Public"}


def test_what_was_queued_before_a_deployment_was_renamed_is_done_under_its_new_name(member, cast, renamed):
    """The secrets of the old name went with it."""
    old = factories.grant_at_status("active")
    grants.revoke(grant_id=old.pk, by=cast["lead"], reason="over")
    waiting = factories.grant_at_status("applying", by="colleague")
    renamed()
    Deployment.objects.filter(name="demo").update(accounts={})
    factories.observe("demo", status="needs_reauthentication")
    factories.look_at_all()
    Operation.objects.filter(status="queued").update(not_before=timezone.now() + HOURS, waiting_for="a new password")
    factories.work_off()
    assert fresh(old).status == "ending"
    timers.Timekeeper(timers.DUTIES).do_due()
    factories.work_off()
    assert fresh(old).status == "ended" and member.roles_of("employee") == {"Public"}
    assert fresh(waiting).status in ("ending", "ended"), "its entitlement is no longer offered"
    assert {operation.deployment.name for operation in operations_of(old, "revoke_role")} == {"main"}


def test_a_run_asked_for_before_a_deployment_was_renamed_is_started_under_its_new_name(member, cast, renamed):
    dag = Dag.objects.get(deployment__name="demo", dag_id="sales_report")
    run = trigger(by=cast["colleague"], dag=dag, conf={})
    renamed()
    Deployment.objects.filter(name="demo").update(accounts={})
    factories.observe("demo", status="needs_reauthentication")
    factories.look_at_all()
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "requested"
    timers.Timekeeper(timers.DUTIES).do_due()
    factories.work_off()
    run.refresh_from_db()
    assert run.status == "queued" and [there.dag_run_id for there in member.state.runs] == [run.dag_run_id]
    member.set_run_states("success")
    poller = polling.Poller()
    for deployment in poller._due():
        poller.visit(deployment)
    run.refresh_from_db()
    assert run.status == "success"


@pytest.fixture
def run_of_old_name(member, cast, renamed):
    """A run that began before its deployment was renamed to `main`; gives it for the states of both names."""
    trigger(by=cast["colleague"], dag=Dag.objects.get(deployment__name="demo", dag_id="sales_report"), conf={})
    factories.work_off()
    renamed()

    def run(*, old, new):
        Deployment.objects.filter(name="demo").update(accounts={})
        factories.observe("demo", status=old)
        factories.observe("main", status=new, checked_at=timezone.now())
        return Run.objects.select_related("dag__deployment").get()

    return run


@pytest.mark.parametrize("old", ["down", "needs_reauthentication"])
def test_a_renamed_deployment_is_asked_whatever_state_its_old_name_was_left_in(run_of_old_name, old):
    run = run_of_old_name(old=old, new="up")
    assert [one.name for one in polling.Poller()._due()] == ["main"]
    assert clients.runner(run.dag.deployment).dag("sales_report").dag_id == "sales_report"
    assert run_view.RunView(run).problem == ""


@pytest.mark.parametrize("new", ["down", "needs_reauthentication"])
def test_a_renamed_deployment_that_is_away_under_its_new_name_is_not_asked(member, run_of_old_name, new):
    run = run_of_old_name(old="up", new=new)
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    before = len(member.requests)
    with pytest.raises(reading.Unavailable, match="Airflow on main"):
        reading.read(Deployment.objects.get(name="main"), "report_mode")
    assert len(member.requests) == before
    assert polling.Poller()._due() == []
    assert "Airflow on main" in run_view.RunView(run).problem


@pytest.fixture(params=["name", "address"])
def moved(request, member, renamed):
    """Gives the deployment `demo` another name, or another address; returns its new name."""

    def move():
        if request.param == "name":
            renamed()
        Deployment.objects.update(url=member.url, variables=[{"key": "report_mode"}])
        factories.observe(checked_at=None)
        factories.look_at_all()
        return Deployment.objects.get(retired_at=None).name

    if request.param == "address":
        Deployment.objects.update(url="http://127.0.0.1:1")
    return move


def newer_first(old, ask):
    """`old` waits for Airflow, which was away; `ask` asks for what is newer, and that is done first. Their statuses."""
    Operation.objects.filter(pk=old.pk).update(not_before=timezone.now() + HOURS)
    new = ask()
    factories.work_off()
    timers.Timekeeper(timers.DUTIES).do_due()
    factories.work_on()
    old.refresh_from_db()
    new.refresh_from_db()
    return old.status, new.status


def test_a_pause_asked_for_before_a_deployment_moved_does_not_undo_a_newer_unpause(member, cast, moved):
    dags = Dag.objects.filter(dag_id="sales_report")
    old = pause(by=cast["colleague"], dag=dags.get(), reason="upkeep")

    def ask():
        return unpause(by=cast["colleague"], dag=dags.get(deployment__name=moved()))

    assert newer_first(old, ask) == ("superseded", "succeeded")
    assert not member.state.dags["sales_report"].paused
    assert factories.verbs().count(Verb.DAG_SWITCH_LEFT_OUT) == 1


def test_a_change_of_a_variable_asked_for_before_a_deployment_moved_does_not_undo_a_newer_one(member, cast, moved):
    member.state.roles["gatehouse-runs"].permissions |= {
        (f"can_{do}", "Variables") for do in ("read", "edit", "create")
    }
    Deployment.objects.update(variables=[{"key": "report_mode"}])
    asked = {"by": cast["admin"], "key": "report_mode", "reason": "quarter end"}
    old = changing.change(deployment=Deployment.objects.get(), value="old", **asked)

    def ask():
        return changing.change(deployment=Deployment.objects.get(name=moved()), value="new", **asked)

    assert newer_first(old, ask) == ("superseded", "succeeded")
    assert member.state.variables["report_mode"].value == "new"
    assert factories.verbs().count(Verb.VARIABLE_CHANGE_LEFT_OUT) == 1


def test_a_renamed_deployment_is_not_signed_in_to_under_its_old_name(member, cast, renamed, monkeypatch):
    """Its run is followed under the present name. The old secrets may be gone, and refusals may lock the account."""
    trigger(by=cast["colleague"], dag=Dag.objects.get(dag_id="sales_report"), conf={})
    renamed()
    factories.work_on()
    for name in factories.SECRETS:
        monkeypatch.delenv(name)
    factories.observe(checked_at=None)
    assert {one.name for one in polling.Poller()._due()} == {"main"}
