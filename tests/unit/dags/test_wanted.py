"""A DAG that somebody looks at is read before the others, once it is due. The page only sends a message."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from portal.catalogue.models import Dag
from portal.celery import app as celery
from portal.dags.models import DagState
from portal.dags.runs import wanted
from portal.worker import runs, tasks

PAGE = "/dags/demo/sales_report"


@pytest.fixture
def told(monkeypatch):
    found: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(celery, "send_task", lambda name, args, **options: found.append((name, args)))
    monkeypatch.setattr(wanted, "_next", {})
    monkeypatch.setattr(wanted, "_silent_until", 0.0)
    return found


def dag(name="sales_report"):
    return Dag.objects.get(dag_id=name)


def read_ago(**ago):
    DagState.objects.update(seen_at=timezone.now() - timedelta(**ago))


def test_who_opens_a_dag_that_is_overdue_lets_the_worker_know_once_in_a_while(airflow, client_as, told):
    read_ago(minutes=2)
    for _ in range(3):
        assert client_as("colleague").get(PAGE).status_code == 200
    assert told == [(wanted.DAG, [dag().pk])]
    assert not DagState.objects.filter(is_wanted=True).exists(), "a page writes nothing"


@pytest.mark.parametrize("known", [True, False])
def test_a_dag_that_is_read_in_time_or_was_never_read_needs_no_message(airflow, client_as, told, known):
    if not known:
        DagState.objects.all().delete()
    client_as("colleague").get(PAGE)
    assert told == []


@pytest.mark.parametrize(("known", "age", "count"), [(False, 2, 0), (False, 4, 1), (True, 4, 0), (True, 31, 1)])
def test_a_dag_that_airflow_did_not_have_is_overdue_sooner(airflow, client_as, told, known, age, count):
    read_ago(seconds=age)
    DagState.objects.update(known=known)
    client_as("colleague").get(PAGE)
    assert told == [(wanted.DAG, [dag().pk])] * count


def test_what_is_wanted_is_read_before_the_others_and_then_is_one_of_them(airflow):
    read_ago(minutes=2)
    last = list(runs.due_dags())[-1]
    tasks.want_dag(last.pk)
    assert next(iter(runs.due_dags())) == last
    runs.read_dag(last)
    assert last not in runs.due_dags()
    assert not DagState.objects.filter(is_wanted=True).exists()


def test_to_be_wanted_is_no_reason_to_be_read_before_it_is_due(airflow):
    tasks.want_dag(dag().pk)
    assert list(runs.due_dags()) == []


def test_what_was_never_read_is_read_with_what_is_wanted(airflow):
    read_ago(minutes=2)
    new = dag()
    DagState.objects.filter(dag=new).delete()
    assert next(iter(runs.due_dags())) == new
