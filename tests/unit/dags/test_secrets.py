"""Secret parameters reach Airflow, and are kept nowhere in the clear."""

from __future__ import annotations

import copy
import json
import re

import pytest
from django.apps import apps
from django.core import serializers

from portal.audit.models import AuditEvent
from portal.catalogue.models import Dag
from portal.core import sealing
from portal.core.errors import Invalid
from portal.dags import actions
from portal.dags.models import DagState, Run
from portal.dags.parameters import secrets
from portal.operations.models import Operation
from portal.worker import runs
from tests.factories import work_off

PARAMS = {
    "region": {"value": "KR", "schema": {"type": "string"}},
    "pin": {"value": None, "schema": {"type": ["null", "string"], "format": "password"}},
    "db_password": {"value": "default-word", "schema": {"type": "string"}},
    "conn": {"value": {"host": "db1", "apiKey": "default-key"}, "schema": {"type": "object"}},
    "target": {"value": "", "schema": {}},
}
GIVEN = {
    "region": "EU",
    "pin": "hunter-1",
    "db_password": 'hunter-"2',
    "conn": {"host": "db2", "apiKey": "hunter-3", "n": [{"token": "hunter-4"}]},
    "target": "postgres://reader:hunter-5@db2/sales",
}
SHOWN = {
    "region": "EU",
    "pin": "***",
    "db_password": "***",
    "conn": {"host": "db2", "apiKey": "***", "n": [{"token": "***"}]},
    "target": "***",
}


@pytest.fixture(params=["3.3.2", "2.11.2"])
def release(request):
    return request.param


@pytest.fixture
def dag(cast, airflow):
    airflow.state.dags["sales_report"].params |= copy.deepcopy(PARAMS)
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    return Dag.objects.select_related("state").get(dag_id="sales_report")


def trigger(cast, dag, conf=None, **more):
    return actions.trigger(by=cast["colleague"], dag=dag, conf=GIVEN if conf is None else conf, **more)


def test_a_secret_in_a_key_is_kept_nowhere_in_the_clear(cast, dag):
    address = GIVEN["target"]
    given = {"target": {address: [1]}}
    run = trigger(cast, dag, given)
    assert run.conf == {"target": "***"} and secrets.reveal(run)[0] == given
    event = AuditEvent.objects.order_by("-seq").first()
    assert "hunter" not in event.payload
    with pytest.raises(Invalid, match="name of a parameter contains a credential") as refusal:
        trigger(cast, dag, {address: 1})
    assert "hunter" not in str(refusal.value)


def test_a_locked_parameter_with_a_secret_in_its_name_is_shown_without_values(dag):
    dag.locked = {GIVEN["target"]: 1, "region": "EU"}
    assert set(secrets.mask_locked(dag).values()) == {"***"}


def everything_kept():
    """Every row of every table, as text."""
    rows = (row for model in apps.get_models() for row in model._base_manager.all())
    return serializers.serialize("json", rows)


def test_a_secret_reaches_airflow_and_is_kept_nowhere(cast, airflow, dag, caplog):
    run = trigger(cast, dag, note="the pin is hunter-1, please", key="one")
    assert run.conf == SHOWN
    assert run.note == "the pin is ***, please"
    assert json.loads(sealing.unseal(run.sealed)) == GIVEN
    assert "hunter" not in everything_kept()
    work_off()
    assert [there.conf for there in airflow.state.runs] == [GIVEN]
    run.refresh_from_db()
    assert (run.status, run.sealed, run.conf) == ("queued", "", SHOWN)
    assert len(run.digest) == 64
    assert "hunter" not in everything_kept() + caplog.text
    assert "hunter" not in airflow.state.runs[0].note
    event = AuditEvent.objects.get(verb="run.requested")
    assert json.loads(json.loads(event.payload)["detail"]["conf"]) == SHOWN


def test_the_digest_tells_the_same_secrets_from_others(cast, airflow, dag, settings):
    first, same, other = (trigger(cast, dag, {"pin": pin}).digest for pin in ("hunter-1", "hunter-1", "hunter-2"))
    assert first == same != other
    settings.SECRET_KEY = "another key, of at least thirty-two characters"
    assert trigger(cast, dag, {"pin": "hunter-1"}).digest != first
    assert trigger(cast, dag, {"region": "EU"}).digest == ""


def test_a_changed_secret_is_another_run_of_the_same_form(cast, airflow, dag):
    first = trigger(cast, dag, {"pin": "hunter-1"}, key="form")
    assert trigger(cast, dag, {"pin": "hunter-1"}, key="form") == first
    assert trigger(cast, dag, {"pin": "hunter-2"}, key="form") != first


def test_before_airflow_has_told_what_is_secret_everything_is_hidden(cast, airflow, dag):
    DagState.objects.update(secrets=None)
    run = trigger(cast, Dag.objects.get(pk=dag.pk), {"region": "EU", "dry_run": True})
    assert run.conf == {"region": "***", "dry_run": True}
    work_off()
    assert airflow.state.runs[0].conf == {"region": "EU", "dry_run": True}


@pytest.mark.parametrize("conf", [{"pin": "***"}, {"conn": {"apiKey": "***"}}, {"conn": {"l": [{"n": "***"}]}}])
def test_what_was_hidden_is_not_sent_back(cast, airflow, dag, conf):
    with pytest.raises(Invalid, match="the mark for a hidden secret") as caught:
        trigger(cast, dag, conf)
    assert list(caught.value.fields) == ["conf"]
    assert not Run.objects.exists()


def test_what_airflow_says_of_a_secret_is_hidden(cast, airflow, dag):
    airflow.state.dags["sales_report"].params["pin"]["schema"] = {"type": "string", "format": "password", "enum": ["x"]}
    run = trigger(cast, dag)
    work_off()
    run.refresh_from_db()
    assert (run.status, run.sealed) == ("failed", "")
    assert "hunter" not in run.error + Operation.objects.get(pk=run.operation_id).error + everything_kept()


def test_secrets_of_another_key_are_not_sent(cast, airflow, dag, settings):
    run = trigger(cast, dag)
    settings.SECRET_KEY = "another key, of at least thirty-two characters"
    work_off()
    run.refresh_from_db()
    assert (run.status, run.sealed) == ("failed", "")
    assert "encrypted with another GATEHOUSE_SECRET_KEY" in run.error
    assert not airflow.state.runs


def test_what_is_known_of_a_dag_holds_no_default(cast, airflow, dag):
    assert "default" not in json.dumps(dag.state.secrets)
    assert {place.path for place in secrets.places_of(dag)} == {("pin",), ("db_password",), ("conn", "apiKey")}


def test_a_fixed_secret_is_not_told(cast, airflow, dag):
    Dag.objects.update(locked={"db_password": "hunter-9", "region": "EU"})
    dag = Dag.objects.get(pk=dag.pk)
    assert secrets.mask_locked(dag) == {"db_password": "***", "region": "EU"}
    with pytest.raises(Invalid, match=re.escape('“db_password” is fixed to "***"')):
        trigger(cast, dag, {"db_password": "x"})
    run = trigger(cast, dag, {})
    assert run.conf == {"db_password": "***", "region": "EU"}
    work_off()
    run.refresh_from_db()
    assert (run.error, airflow.state.runs[0].conf["db_password"]) == ("", "hunter-9")
