"""A permit is revoked at the moment when it is used, and when its run is started."""

from functools import partial

import pytest

from portal.audit.verify import verify
from portal.catalogue.models import Dag
from portal.dags.actions import trigger
from portal.dags.models import Permit, Run
from portal.dags.permits import permits
from tests.concurrency.conftest import all_at_once
from tests.factories import attempt, due, permit, person, work_off


def run() -> Run:
    dag = Dag.objects.select_related("deployment").get(dag_id="payroll_close")
    return trigger(by=person("employee"), dag=dag, conf={"month": "2026-11"})


@pytest.mark.parametrize("round", range(3))
def test_runs_against_a_revocation_are_counted_or_refused_and_none_of_them_starts(airflow, cast, round):
    issued = permit(runs=4)
    revoke = partial(permits.revoke, permit_id=issued.pk, by=person("lead"), reason="wrong month")
    outcome = all_at_once(run, run, revoke, run, run)
    issued.refresh_from_db()
    assert {refusal.reason for refusal in outcome.refusals} <= {"needs_approval", "outside_permit"}
    assert (issued.status, issued.used) == ("revoked", Run.objects.count())
    work_off()
    assert set(Run.objects.values_list("status", flat=True)) <= {"failed"} and not airflow.state.runs
    assert verify().problems == []


@pytest.mark.parametrize("round", range(3))
def test_a_revocation_against_a_start_stops_it_or_comes_too_late(airflow, cast, round):
    issued, made = permit(), run()
    [operation] = due()
    revoke = partial(permits.revoke, permit_id=issued.pk, by=person("lead"), reason="wrong month")
    all_at_once(partial(attempt, operation), revoke)
    made.refresh_from_db()
    assert Permit.objects.get().status == "revoked"
    assert made.status == ("queued" if airflow.state.runs else "failed")
    assert bool(made.error) != bool(airflow.state.runs)
    assert verify().problems == []
