"""Globs and tags: which entry covers which DAG, when a DAG is offered, and when it is not offered any more."""

from datetime import timedelta

import pytest
from django.db import Error as DatabaseError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.airflow import listings
from portal.audit.models import AuditEvent
from portal.audit.verbs import Verb
from portal.catalogue import covering, loader, queries
from portal.catalogue.models import Dag, Deployment
from portal.catalogue.plan import plan
from portal.core import clock
from tests.unit.catalogue.texts import GOOD

HEAD = GOOD[: GOOD.index("[[dags]]")]


def entry(name, *, deployment="prod", **columns):
    """An entry: `#x` is a tag."""
    key = f'dag_tag = "{name[1:]}"' if name.startswith("#") else f'dag = "{name}"'
    others = "".join(f"{column} = {value}\n" for column, value in columns.items())
    return f'\n[[dags]]\ndeployment = "{deployment}"\n{key}\nactions = ["trigger"]\nwho = ["group:data"]\n{others}'


def file(*names):
    return HEAD + "".join(map(entry, names))


def seen(*, name="prod", asked_at=None, **dags):
    """Airflow lists these DAGs, each with its tags."""
    listings.store(Deployment.objects.get(name=name), dags, asked_at=asked_at or clock.now())


def offered(deployment="prod"):
    rows = queries.dags_in_force().filter(deployment__name=deployment)
    return {dag.dag_id: dag.entry.removeprefix(f"{deployment}/") for dag in rows}


def covered_events():
    return [event.detail for event in AuditEvent.objects.filter(verb=Verb.CATALOGUE_DAGS_COVERED).order_by("seq")]


@pytest.mark.parametrize(
    ("names", "winner"),
    [
        (["sales_eu", "sales_*", "#sales"], "sales_eu"),
        (["#sales", "*", "sales_*"], "sales_*"),
        (["#sales", "*"], "*"),
        (["s*", "sales_??", "sales_e*"], "sales_e*"),
        (["sales_??", "*_es_eu", "s*les_eu"], "s*les_eu"),
        (["sales_e?", "sales_?u"], "sales_e?"),
        (["#daily", "#sales"], "tag:daily"),
        (["#other", "other_*", "SALES_*", "sales_?"], None),
    ],
)
def test_which_entry_wins(staff, apply, names, winner):
    apply(file(*names))
    seen(sales_eu=["sales", "daily"])
    assert offered().get("sales_eu") == winner


def test_a_dag_that_appears_later_is_offered_without_a_new_version(staff, apply):
    apply(file("sales_*", "#daily"))
    assert offered() == {}
    seen(sales_eu=[], other=[])
    assert offered() == {"sales_eu": "sales_*"}
    seen(sales_eu=[], other=[], sales_kr=["daily"], stock=["daily"])
    assert offered() == {"sales_eu": "sales_*", "sales_kr": "sales_*", "stock": "tag:daily"}
    assert queries.version_in_force().number == 1
    assert covered_events() == [
        {"offered": ["sales_eu (prod/sales_*)"]},
        {"offered": ["sales_kr (prod/sales_*)", "stock (prod/tag:daily)"]},
    ]


def test_the_same_list_again_writes_only_its_time(staff, apply):
    apply(file("sales_*"))
    many = {f"sales_{number}": ["a", "b"] for number in range(300)}
    seen(**many)
    events = AuditEvent.objects.count()
    with CaptureQueriesContext(connection) as told:
        seen(**many)
    written = [one["sql"] for one in told if one["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]
    assert [sql.split('"')[1] for sql in written] == ["airflow_daglisting"]
    assert len(told) < 15
    assert AuditEvent.objects.count() == events


def test_a_lost_tag_ends_the_offer_and_its_return_restores_the_row(staff, apply):
    apply(file("#daily"))
    seen(stock=["daily"])
    row = Dag.objects.get(dag_id="stock")
    seen(stock=[])
    assert offered() == {}
    assert covered_events()[-1] == {"no_longer": ["stock (prod/tag:daily)"]}
    seen(stock=["daily"])
    assert Dag.objects.get(dag_id="stock", retired_at=None) == row


def test_a_missing_dag_stays_offered_for_some_time(staff, apply):
    apply(file("#daily", "sales_*"))
    seen(stock=["daily"], sales_eu=[])
    both = offered()
    seen()
    assert offered() == both
    apply(file("sales_*", "#daily"))
    assert offered() == both, "the tags of a missing DAG are remembered"
    seen(asked_at=clock.now() + listings.FORGET + timedelta(minutes=1))
    assert offered() == {}


def test_an_older_list_changes_nothing(staff, apply):
    apply(file("sales_*"))
    seen(sales_eu=[])
    seen(asked_at=clock.now() - timedelta(minutes=1), sales_old=[])
    assert offered() == {"sales_eu": "sales_*"}


def test_apply_uses_the_known_list(staff, apply):
    apply(file("sales_*"))
    seen(sales_eu=["daily"], stock=["daily"])
    apply(HEAD + entry("sales_*", one_at_a_time="true") + entry("#daily"))
    assert offered() == {"sales_eu": "sales_*", "stock": "tag:daily"}
    assert Dag.objects.get(dag_id="sales_eu").one_at_a_time
    apply(file("sales_eu", "#daily"))
    assert offered() == {"sales_eu": "sales_eu", "stock": "tag:daily"}
    assert covered_events()[-1] == {"moved": ["sales_eu (prod/sales_* → prod/sales_eu)"]}
    apply(file("sales_eu"))
    assert offered() == {"sales_eu": "sales_eu"}
    assert covered_events()[-1] == {"no_longer": ["stock (prod/tag:daily)"]}
    assert AuditEvent.objects.order_by("-seq").first().actor == "os:root"


def test_a_new_address_keeps_what_is_offered_until_its_list_is_known(staff, apply):
    apply(file("sales_*", "#daily"))
    seen(sales_eu=[], stock=["daily"])
    moved = file("sales_*", "#daily").replace("airflow.example.com", "new.example.com")
    apply(moved)
    assert offered() == {"sales_eu": "sales_*", "stock": "tag:daily"}
    seen(sales_kr=[])
    assert offered() == {"sales_kr": "sales_*"}


def test_a_renamed_deployment_offers_the_same_at_once(staff, apply):
    apply(file("sales_*"))
    seen(sales_eu=[])
    apply(file("sales_*").replace("deployments.prod", "deployments.main").replace('"prod', '"main'))
    assert offered("main") == {"sales_eu": "sales_*"}
    assert offered() == {}


def test_two_names_of_one_airflow_share_a_list(staff, apply):
    twin = GOOD[: GOOD.index("[groups]")].replace("deployments.prod", "deployments.twin")
    apply(twin + file("sales_*") + entry("#daily", deployment="twin"))
    seen(sales_eu=["daily"], name="twin")
    assert (offered(), offered("twin")) == ({"sales_eu": "sales_*"}, {"sales_eu": "tag:daily"})
    assert len(covered_events()) == 2


def test_a_dag_whose_id_has_no_address_is_left_out(staff, apply):
    apply(file("*"))
    seen(**{"a/b": [], "..": [], "good.one": [], "a b": []})
    assert offered() == {"good.one": "*"}


def test_a_long_event_names_some_and_counts_the_others(staff, apply):
    apply(file("sales_*"))
    seen(**{f"sales_{number:03}": [] for number in range(80)})
    [detail] = covered_events()
    assert len(detail["offered"]) == covering.NAMED + 1
    assert detail["offered"][-1] == "and 30 more"


def test_without_its_event_nothing_is_offered(staff, apply, request):
    apply(file("sales_*"))
    request.getfixturevalue("broken_trail")
    with pytest.raises(DatabaseError):
        seen(sales_eu=[])
    assert offered() == {}
    assert listings.known("https://airflow.example.com") is None


def test_the_plan_says_how_many_known_dags_a_pattern_covers(staff, apply):
    apply(file("sales_*", "#daily", "none_*"))
    seen(sales_eu=["daily"], sales_kr=[], stock=["daily"])
    loaded = loader.loads(file("sales_*", "#daily", "none_*", "sales_kr").encode(), name="x")
    planned = plan(loaded, queries.version_in_force())
    assert planned.covered == {"prod/sales_*": 1, "prod/tag:daily": 1, "prod/none_*": 0}
    elsewhere = loaded.source.replace("airflow.example.com", "new.example.com").encode()
    unknown = plan(loader.loads(elsewhere, name="x"), queries.version_in_force()).covered
    assert unknown == {"prod/sales_*": None, "prod/tag:daily": None, "prod/none_*": None}
