"""Runs are started in a real Airflow once, or not at all, whatever is lost on the way and however often it is asked."""

from __future__ import annotations

import json
from collections import Counter
from functools import partial

import pytest
from django.contrib.auth.models import Group

import airflow_bridge.http
from portal.audit.verbs import Verb
from portal.core.errors import Invalid
from portal.dags import actions
from portal.dags.models import Run
from portal.operations import kinds, outbox
from portal.operations.models import Operation
from tests import factories
from tests.concurrency.conftest import all_at_once, workers
from tests.real.conftest import STILL, ids
from tests.views.pages import Untouched

RUNS, POST = 200, "POST .*/dagRuns"
PAGE = f"/dags/demo/{STILL}"


@pytest.mark.django_db
def test_a_lost_answer_leaves_exactly_one_run(cast, way, airflow, dag, monkeypatch):
    """Of all the answer is lost; of some also what is read back; and for some the worker ends before it has settled."""
    monkeypatch.setattr(airflow_bridge.http, "_wait", lambda seconds: None)
    still, before = dag(STILL), set(ids(airflow, STILL))
    made = [actions.trigger(by=cast["colleague"], dag=still, conf={}) for _ in range(RUNS)]
    unread, died = made[:10], made[10:20]
    way.do(POST, "cut_after")
    for run in unread:
        way.do(f"GET .*/dagRuns/{run.dag_run_id}", "cut_before")
    for run in died:
        operation = outbox.claim(run.operation_id, worker="one that dies")
        kinds.get(operation.kind).handler.execute(operation)
    factories.work_off()
    assert set(Run.objects.filter(status="requested")) == {*unread, *died}
    assert sorted(set(ids(airflow, STILL)) - before) == sorted(run.dag_run_id for run in made)
    way.lift()
    way.do(POST, "cut_after")
    Operation.objects.filter(status="running").update(lease_until="2020-01-01T00:00Z")
    assert outbox.release_expired() == len(died)
    factories.work_on()
    assert Run.objects.filter(status="queued").count() == RUNS
    sent = Counter(json.loads(seen.body)["dag_run_id"] for seen in way.passed_on(POST))
    again = {run.dag_run_id for run in (*unread, *died)}
    assert {run_id for run_id, times in sent.items() if times > 1} == again
    assert sorted(set(ids(airflow, STILL)) - before) == sorted(run.dag_run_id for run in made)


@pytest.mark.django_db(transaction=True)
def test_a_double_click_is_one_run_and_two_people_are_two(cast, client_as, airflow, dag):
    dag(STILL)
    cast["lead"].groups.add(Group.objects.get(name="sales"))
    before = ids(airflow, STILL)
    people = [client_as("colleague"), client_as("colleague"), client_as("lead")]
    form = Untouched(people[0].get(PAGE).content.decode()).sent
    with workers(2):
        clicks = all_at_once(*(partial(client.post, f"{PAGE}/runs", form) for client in people)).answers
    assert [answer.status_code for answer in clicks] == [302, 302, 302]
    assert len({answer["Location"] for answer in clicks}) == 2
    started = set(ids(airflow, STILL)) - set(before)
    assert started == {run.dag_run_id for run in Run.objects.all()}
    assert sorted(run.requested_by.username for run in Run.objects.all()) == ["colleague", "lead"]


@pytest.mark.django_db
def test_a_logical_date_that_another_run_has_is_said(cast, client_as, airflow, dag):
    run = actions.trigger(by=cast["colleague"], dag=dag(STILL), conf={})
    airflow.trigger(STILL, dag_run_id=f"other_{run.dag_run_id[-12:]}", logical_date=run.logical_date)
    before = ids(airflow, STILL)
    factories.work_off()
    run.refresh_from_db()
    assert (run.status, run.operation.status) == ("failed", "failed")
    assert "already has a run of contract_bounded with the same logical date" in run.error
    assert "Run it again" in run.error
    assert factories.verbs()[-1] == Verb.RUN_START_FAILED
    assert ids(airflow, STILL) == before
    assert "the same logical date" in client_as("colleague").get(f"/runs/{run.ref}").content.decode()


# the bounds of tests/contract/dags/contract_bounded.py and of the catalogue: values that they refuse
BEYOND = [
    ("rows", 0), ("rows", 9), ("rows", 11), ("rows", 1.5), ("rows", "5"), ("rows", None),
    ("share", 0), ("share", 1), ("share", True),
    ("pages", 15),
    ("code", "kr-1"), ("code", "KR-12"),
    ("name", "ab"), ("name", "abcdef"),
    ("region", "US"),
    ("day", "2026-02-30"), ("day", "tomorrow"),
    ("moment", "2026-11-21T25:00:00+00:00"),
    ("limit", 101), ("limit", "1"),
    ("tables", []), ("tables", ["a", "b", "c"]), ("tables", ["a", "a"]), ("tables", [1]),
    ("target", {}), ("target", {"host": 1}), ("target", {"host": "x", "port": 1}), ("target", "x"),
    ("full", "yes"), ("full", 1),
]  # fmt: skip
AT_THE_ENDS = [
    {"rows": 1, "share": 0.001, "pages": 0, "code": "EU-9", "name": "abc", "limit": None, "tables": ["a"]},
    {"rows": 8, "share": 0.999, "name": "abcde", "region": "EU", "limit": 100, "tables": ["a", "b"], "full": False},
]


@pytest.mark.django_db
def test_a_bound_is_kept_before_airflow_is_asked(cast, way, airflow, dag):
    bounded = dag(STILL)
    before = ids(airflow, STILL)
    way.forget()
    for name, value in BEYOND:
        with pytest.raises(Invalid) as refusal:
            actions.trigger(by=cast["colleague"], dag=bounded, conf={name: value})
            pytest.fail(f"{value!r} is accepted as {name}")
        assert set(refusal.value.fields) == {f"conf.{name}"}, (name, value)
    factories.work_off()
    assert (way.seen, ids(airflow, STILL)) == ([], before)
    for conf in AT_THE_ENDS:
        run = actions.trigger(by=cast["colleague"], dag=bounded, conf=conf)
        factories.work_off()
        found = airflow.run(STILL, run.dag_run_id)
        assert found is not None and {name: found.conf[name] for name in conf} == conf
