"""Pauses with an end: Gatehouse unpauses the DAG then, unless somebody was there first."""

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue.models import Dag
from portal.core.errors import Invalid
from portal.dags import queries
from portal.dags.models import DagState
from portal.dags.pauses import pausing
from portal.operations.models import Operation
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def dag(airflow):
    return Dag.objects.select_related("deployment").get(dag_id="sales_report")


def pause_for(cast, dag, **length) -> Operation:
    end = timezone.now() + timedelta(**length)
    operation = pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep", until=end)
    factories.work_off()
    return operation


def is_paused(airflow) -> bool:
    return airflow.state.dags["sales_report"].paused


@contextlib.contextmanager
def later(**length):
    with time_machine.travel(timezone.now() + timedelta(**length)):
        yield


def test_a_pause_ends_by_itself(airflow, dag, cast):
    pause = pause_for(cast, dag, hours=2)
    assert is_paused(airflow)
    with later(hours=1, minutes=59):
        assert pausing.end_due() == 0
    with later(hours=2, minutes=1):
        assert pausing.end_due() == 1
        assert pausing.end_due() == 0  # once
        factories.work_on()
    assert not is_paused(airflow)
    asked = AuditEvent.objects.get(verb=Verb.DAG_UNPAUSE_REQUESTED)
    assert (asked.actor, asked.detail["ends"]) == ("gatehouse", pause.ref)
    assert factories.verbs()[-1] == Verb.DAG_UNPAUSED
    assert queries.switched(DagState.objects.get(dag=dag)).by == "Gatehouse"


def test_a_person_who_unpauses_earlier_wins(airflow, dag, cast):
    pause_for(cast, dag, hours=2)
    pausing.unpause(by=cast["colleague"], dag=dag)
    factories.work_off()
    pausing.pause(by=cast["colleague"], dag=dag, reason="again, without an end")
    factories.work_off()
    with later(hours=3):
        assert pausing.end_due() == 0
    assert is_paused(airflow)


def test_a_pause_that_was_renewed_in_airflow_is_somebody_elses(airflow, dag, cast):
    pause_for(cast, dag, hours=2)
    for minutes, paused in ((1, False), (2, True)):
        airflow.state.dags["sales_report"].paused = paused
        with later(minutes=minutes):
            factories.look_at_dags()
    with later(hours=3):
        assert pausing.end_due() == 0


def test_a_longer_pause_that_is_on_its_way_counts(airflow, dag, cast):
    pause_for(cast, dag, hours=2)
    airflow.stop()
    with later(hours=1, minutes=59):
        pausing.pause(by=cast["colleague"], dag=dag, reason="longer", until=timezone.now() + timedelta(hours=5))
    with later(hours=2, minutes=1):
        pausing.end_due()
    assert Verb.DAG_UNPAUSE_REQUESTED not in factories.verbs()


def test_the_end_of_a_pause_that_was_replaced_changes_nothing(airflow, dag, cast):
    """Somebody switches the DAG in Airflow while the operation that ends the pause is on its way."""
    pause_for(cast, dag, hours=2)
    with later(hours=2, minutes=1):
        pausing.end_due()
        DagState.objects.filter(dag=dag).update(switch=None)
        factories.work_on()
    assert is_paused(airflow)
    assert Operation.objects.order_by("pk").last().status == "cancelled"


def test_without_the_trail_a_pause_does_not_end(airflow, dag, cast, broken_trail):
    state, _ = DagState.objects.update_or_create(
        dag=dag, defaults={"paused": True, "unpause_at": timezone.now(), "seen_at": timezone.now(), "switch": None}
    )
    pausing.end_due()
    state.refresh_from_db()
    assert state.unpause_at is not None
    assert not Operation.objects.exists()


@pytest.mark.parametrize(("length", "words"), [({"minutes": -1}, "future"), ({"days": 91}, "90 days")])
def test_an_end_that_is_not_possible_is_refused(airflow, dag, cast, length, words):
    with pytest.raises(Invalid, match=words):
        pause_for(cast, dag, **length)
    assert not Operation.objects.exists()
    assert factories.verbs()[-1] == Verb.DAG_PAUSE_REFUSED


def test_a_pause_without_an_end_stays(airflow, dag, cast):
    pausing.pause(by=cast["colleague"], dag=dag, reason="upkeep")
    factories.work_off()
    with later(days=80):
        assert pausing.end_due() == 0


def test_after_a_lost_answer_the_old_state_is_known(airflow, dag, cast):
    airflow.fail_next("PATCH .*/dags/sales_report", "drop", times=99)
    pause = pause_for(cast, dag, hours=2)
    assert is_paused(airflow)
    factories.work_on()
    pause.refresh_from_db()
    assert (pause.status, pause.before, pause.after) == ("succeeded", {"paused": False}, {"paused": True})
