"""Runs within a permit, between their request and their start: what happens to the permit meanwhile counts."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.contrib.auth.models import Group

from portal.audit.verbs import Verb
from portal.audit.verify import verify
from portal.catalogue.models import Dag
from portal.catalogue.queries import dags_in_force
from portal.core.errors import Conflict, Refused
from portal.dags.actions import trigger
from portal.dags.models import Permit, Run
from portal.dags.permits import permits
from portal.dags.runs import run_actions
from tests import factories
from tests.factories import person

POST = "POST .*/dags/payroll_close/dagRuns"
MINUTE = timedelta(minutes=1)


def run(conf=None, *, on="demo"):
    dag = Dag.objects.select_related("deployment").get(dag_id="payroll_close", deployment__name=on)
    return trigger(by=person("employee"), dag=dag, conf={"month": "2026-11"} if conf is None else conf)


def revoke(permit, *, by="lead", reason="wrong month"):
    return permits.revoke(permit_id=permit.pk, by=person(by), reason=reason)


def started(made):
    factories.work_off()
    made.refresh_from_db()
    return made.status


@pytest.fixture
def permit(airflow):
    return factories.permit(runs=2)


def test_a_run_within_a_permit_is_started(airflow, permit):
    assert started(run()) == "queued"
    assert len(airflow.calls(POST)) == 1


def test_a_default_that_changes_before_the_start_does_not_leave_the_bounds(airflow):
    factories.permit(bounds={"month": {"enum": ["2026-11"]}})
    made = run({})
    airflow.state.dags["payroll_close"].params["month"]["value"] = "2026-12"
    assert started(made) == "queued", made.error
    assert airflow.state.runs[0].conf["month"] == "2026-11"


@pytest.mark.parametrize("runs", [1, 2])
def test_a_revoked_permit_stops_the_run_that_waits_also_the_last_one(airflow, runs):
    permit, made = factories.permit(runs=runs), run()
    revoke(permit)
    assert started(made) == "failed"
    assert made.error == f"{permit.ref}, which allowed this run, was revoked by lead: wrong month."
    assert not airflow.calls(POST) and not airflow.state.runs
    permit.refresh_from_db()
    assert (permit.status, permit.used) == ("revoked", 1), "its use is not given back"
    assert factories.verbs()[-1] == Verb.RUN_START_FAILED
    assert verify().problems == []


def test_a_run_that_airflow_took_before_the_permit_was_revoked_is_followed(airflow, permit):
    made = run()
    airflow.fail_next("GET .*/(dagRuns|dags)/[^/]*", "close", times=99)
    airflow.fail_next(POST, "drop", times=99)
    factories.work_off()
    airflow._failures.clear()
    revoke(permit)
    factories.work_on()
    made.refresh_from_db()
    assert made.status == "queued" and len(airflow.state.runs) == 1


def test_a_permit_that_expired_after_the_request_still_covers_the_run(airflow, permit):
    with time_machine.travel(permit.ends_at - MINUTE, tick=False):
        made = run()
    with time_machine.travel(permit.ends_at + MINUTE, tick=False):
        permits.expire_due()
        assert started(made) == "queued"
    assert Permit.objects.get().status == "expired"


def test_an_expired_permit_is_revoked_while_a_run_waits_and_not_afterwards(airflow, permit):
    with time_machine.travel(permit.ends_at - MINUTE, tick=False):
        made = run()
    with time_machine.travel(permit.ends_at + MINUTE, tick=False):
        permits.expire_due()
        assert revoke(permit).status == "revoked"
        assert started(made) == "failed"
        with pytest.raises(Conflict, match="already revoked"):
            revoke(permit)
    assert verify().problems == []


def test_a_used_up_permit_without_a_waiting_run_has_nothing_to_revoke(airflow):
    permit = factories.permit(runs=1)
    assert started(run()) == "queued"
    with pytest.raises(Conflict, match="already used up"):
        revoke(permit)


def test_a_holder_who_may_no_longer_ask_starts_nothing(airflow, permit):
    made = run()
    person("employee").groups.remove(Group.objects.get(name="data"))
    assert started(made) == "failed"
    assert made.error == "employee, who asked for it, may no longer run payroll_close."
    assert not airflow.state.runs


def fail(airflow, made):
    started(made)
    airflow.set_run_states("failed")
    Run.objects.update(next_look="2020-01-01T00:00Z")
    factories.follow_runs()
    made.refresh_from_db()
    assert made.status == "failed"
    return made


def test_a_failed_run_is_retried_unless_its_permit_was_revoked(airflow, permit):
    made = fail(airflow, run())
    asked = run_actions.retry(by=person("employee"), run=made)
    revoke(permit)
    factories.work_off()
    asked.refresh_from_db()
    assert (asked.status, airflow.calls("POST .*/clear.*")) == ("failed", [])
    assert "was revoked by lead: wrong month. Ask for another run." in asked.error
    with pytest.raises(Refused) as refusal:
        run_actions.retry(by=person("employee"), run=made)
    assert refusal.value.reason == "needs_approval" and permit.ref in refusal.value.detail


def test_who_needs_no_permit_retries_the_run_of_a_revoked_one(airflow, permit):
    Dag.objects.filter(dag_id="payroll_close").update(who=["group:data-leads"], actions=["trigger", "retry"])
    made = fail(airflow, run())
    revoke(permit)
    assert run_actions.retry(by=person("lead2"), run=made).kind == "retry_run"


# --- a renamed deployment --------------------------------------------------------------------------------------------
@pytest.fixture
def renamed(airflow, permit, tmp_path):
    factories.offer_renamed(tmp_path, url=airflow.url)
    factories.observe("main", status="up")
    return factories.read_dag("payroll_close")


def test_a_permit_is_used_under_the_new_name_of_its_deployment(airflow, permit, renamed):
    made = run(on="main")
    assert (made.permit, made.dag.deployment.name) == (permit, "main")
    with pytest.raises(Refused) as refusal:
        run({"month": "2026-10"}, on="main")
    assert refusal.value.reason == "outside_permit"
    assert started(made) == "queued"
    assert verify().problems == []


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"policy": ""}, "not_eligible"),
        ({"actions": ["logs"]}, "not_offered"),
        ({"freeze": [{"from": "2020-01-01", "until": "2100-01-01", "except": [], "why": "close"}]}, "frozen"),
    ],
)
def test_the_rules_of_the_new_entry_count(renamed, columns, reason):
    dags_in_force().filter(dag_id="payroll_close").update(**columns)
    with pytest.raises(Refused) as refusal:
        run(on="main")
    assert refusal.value.reason == reason
    assert Permit.objects.get().used == 0


def test_a_permit_of_another_name_of_the_same_airflow_is_not_used(permit):
    """Both are in force, so each entry has rules of its own."""
    other = Dag.objects.get(dag_id="payroll_close")
    twin = other.deployment
    twin.pk, twin.name = None, "twin"
    twin.save(force_insert=True)
    other.pk, other.deployment = None, twin
    other.save(force_insert=True)
    with pytest.raises(Refused) as refusal:
        run(on="twin")
    assert refusal.value.reason == "needs_approval"
