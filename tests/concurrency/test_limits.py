"""Several people run one DAG at the same moment: its limits count all of them."""

from functools import partial

import pytest

from portal.catalogue.models import Dag
from portal.dags import actions
from portal.dags.models import Run
from tests.concurrency.conftest import all_at_once


@pytest.mark.parametrize(
    ("columns", "reason"),
    [({"one_at_a_time": True}, "one_at_a_time"), ({"max_runs_per_hour": 1}, "too_many_runs")],
)
def test_of_four_at_once_one_starts_and_the_others_are_refused(catalogue, cast, columns, reason):
    Dag.objects.update(who=["group:data"], **columns)
    dag = Dag.objects.select_related("deployment").get(dag_id="warehouse_backup")
    people = [cast[name] for name in ("employee", "colleague", "lead", "lead2")]
    outcome = all_at_once(*[partial(actions.trigger, by=person, dag=dag, conf={}) for person in people])
    assert Run.objects.count() == len(outcome.answers) == 1
    assert [refusal.reason for refusal in outcome.refusals] == [reason] * 3
