"""Pauses of DAGs and tasks that wait for a person, in a real Airflow."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.dags import actions, human
from portal.dags.models import DagState
from portal.dags.pauses import pausing
from portal.dags.runs import run_actions
from portal.worker import timers
from tests import factories
from tests.contract.servers import wait_until
from tests.real.conftest import poll
from tests.real_airflow import on

pytestmark = pytest.mark.django_db
PAUSED = "warehouse_backup"


def test_a_pause_is_read_back_and_ends_by_itself(cast, airflow, dag):
    backup = dag(PAUSED)
    end = timezone.now() + timedelta(hours=2)
    pause = pausing.pause(by=cast["colleague"], dag=backup, reason="upkeep", until=end)
    factories.work_off()
    pause.refresh_from_db()
    assert (pause.status, pause.before, pause.after) == ("succeeded", {"paused": False}, {"paused": True})
    assert airflow.dag(PAUSED).paused
    assert DagState.objects.get(dag=backup).paused
    with time_machine.travel(end + timedelta(seconds=1)):
        timers.Timekeeper(timers.DUTIES).do_due()
    factories.work_on()
    assert not airflow.dag(PAUSED).paused
    assert DagState.objects.get(dag=backup).paused is False
    done, asked = AuditEvent.objects.order_by("-seq")[:2]
    assert (asked.verb, asked.actor, asked.detail["ends"]) == (Verb.DAG_UNPAUSE_REQUESTED, "gatehouse", pause.ref)
    assert done.verb == Verb.DAG_UNPAUSED


@pytest.mark.parametrize("real", [pytest.param("3.3.2", marks=on("3.3.2"))], indirect=True)
def test_a_task_that_waits_for_a_person_is_listed_until_it_is_answered(cast, airflow, dag):
    run = actions.trigger(by=cast["colleague"], dag=dag("contract_asks"), conf={})
    factories.work_off()

    def listed():
        poll()
        return [task for task in human.waiting_for(cast["colleague"]) if task.dag_run_id == run.dag_run_id]

    (task,) = wait_until(listed, f"the question of {run.ref} is listed")
    assert (task.task_id, task.subject, task.options) == ("work", "Publish the figures?", ["Approve", "Reject"])
    assert human.airflow_url(task).endswith(f"/dags/contract_asks/runs/{run.dag_run_id}/tasks/work/required_actions")
    airflow.answer_human_task("contract_asks", run.dag_run_id, "work", ["Approve"])
    assert listed() == []
    # without a triggerer the run goes on for ever
    run_actions.cancel(by=cast["colleague"], run=run, reason="enough seen")
    factories.work_off()
    assert airflow.run("contract_asks", run.dag_run_id).state == "failed"
