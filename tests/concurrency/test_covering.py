"""A new catalogue and lists of DAGs at the same moment: what is offered follows the catalogue in force."""

from functools import partial

import pytest

from accounts.operator import Operator
from portal.airflow import listings
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import queries
from portal.catalogue.actions import apply
from portal.catalogue.models import Dag, Deployment
from portal.core import clock
from tests.concurrency.conftest import all_at_once
from tests.unit.catalogue.texts import GOOD

HEAD = GOOD[: GOOD.index("[[dags]]")]
ENTRY = '\n[[dags]]\ndeployment = "prod"\ndag = "sales_*"\nactions = ["trigger"]\nwho = ["group:data"]\n'
DAGS = {f"sales_{number}": [] for number in range(20)}


def put(folder, text):
    file = folder / "gatehouse.toml"
    file.write_text(text)
    apply(by=Operator("root"), path=file)


def store(dags):
    listings.store(Deployment.objects.get(), dags, asked_at=clock.now())


@pytest.mark.parametrize("listed_before", [False, True])
@pytest.mark.parametrize("after", [HEAD, HEAD + ENTRY.replace("sales_*", "sales_1*")])
def test_apply_and_a_list_at_once(db, tmp_path, listed_before, after):
    put(tmp_path, HEAD + ENTRY)
    if listed_before:
        store({"sales_0": []})
    all_at_once(partial(put, tmp_path, after), partial(store, DAGS))
    entries = set(queries.dags_in_force().values_list("entry", flat=True))
    assert entries <= ({"prod/sales_1*"} if ENTRY.strip()[:8] in after else set())
    store(DAGS)
    count = 0 if after == HEAD else 11
    assert queries.dags_in_force().count() == count


def test_two_workers_store_one_list_at_once(db, tmp_path):
    put(tmp_path, HEAD + ENTRY)
    all_at_once(*[partial(store, DAGS)] * 4)
    assert Dag.objects.count() == len(DAGS)
    assert AuditEvent.objects.filter(verb=Verb.CATALOGUE_DAGS_COVERED).count() == 1
