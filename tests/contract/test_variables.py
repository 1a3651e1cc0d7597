"""Variables: read and written by an administrator, and by the runner; out of reach for the granter."""

from __future__ import annotations

import json

import pytest

from airflow_bridge import Airflow, Forbidden, NotApplied, Rejected
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]


@pytest.mark.everywhere
def test_a_variable_is_made_read_and_changed(airflow: Airflow) -> None:
    key = unique("contract")
    assert airflow.variable(key) is None
    made = airflow.set_variable(key, "on", description="a switch")
    assert (made.key, made.value, made.description) == (key, "on", "a switch")
    changed = airflow.set_variable(key, "off")
    assert (changed.value, changed.description) == ("off", "a switch")  # what was not given stays
    assert airflow.set_variable(key, "off", description="another").description == "another"
    assert airflow.variable(key) == airflow.set_variable(key, "off")


@pytest.mark.parametrize("value", ["", "äöü €", '{"a": [1, null]}', "two\nlines", " spaces "])
def test_a_value_is_kept_as_it_is(airflow: Airflow, value: str) -> None:
    key = unique("contract")
    assert airflow.set_variable(key, value).value == value


@pytest.mark.parametrize("key", ["a.b-c_d", "with space", "ümlaut", "50%", "a?b", "a#b"])
def test_keys_of_every_kind(airflow: Airflow, key: str) -> None:
    key = unique(key)
    assert airflow.set_variable(key, "1").key == key


@pytest.mark.parametrize("key", ["", "a/b", "..", "x" * 251])
def test_a_key_that_cannot_be_addressed(airflow: Airflow, key: str) -> None:
    with pytest.raises(Rejected) as caught:
        airflow.set_variable(key, "1")
    assert caught.value.field == "key"


def test_a_value_is_not_shown_by_accident(airflow: Airflow) -> None:
    found = airflow.set_variable(unique("contract_password"), "a-secret-value")
    assert found.value in ("a-secret-value", "***")  # Airflow 3 hides it from everybody
    assert "a-secret-value" not in repr(found)


def test_secrets_inside_of_json_hide_nothing_else(airflow: Airflow) -> None:
    value = {"password": "hidden", "hosts": [{"token": 7, "port": 1, "name": "db"}], "secret": ["x", {"y": "z"}]}
    shown = json.loads(airflow.set_variable(unique("contract"), json.dumps(value)).value)
    if airflow.version().startswith("3."):  # Airflow 2 shows them to whoever may read variables
        value |= {"password": "***", "secret": ["***", {"y": "***"}]}
    assert shown == value


def test_json_is_the_same_however_airflow_writes_it(airflow: Airflow) -> None:
    key = unique("contract")
    for value in ('{"a":[1,null],"b":"ä"}', '["x",  "y"]', "1e3"):
        assert json.loads(airflow.set_variable(key, value).value) == json.loads(value)


def test_a_variable_that_stays_as_it_was(airflow: Airflow, fake: FakeAirflow) -> None:
    key = unique("contract")
    for before, after in (("on", "off"), ('{"token": "a", "n": 1}', '{"token": "a", "n": 2}'), ("[1]", "[1, 2]")):
        airflow.set_variable(key, before)
        fake.fail_next("PATCH .*/variables/.*", "ignore")
        with pytest.raises(NotApplied, match=key):
            airflow.set_variable(key, after)


@pytest.mark.everywhere
@pytest.mark.separate
def test_only_the_runner_may_read_and_change_variables(airflow: Airflow, granter: Airflow, runner: Airflow) -> None:
    key = unique("contract")
    airflow.set_variable(key, "on")
    with pytest.raises(Forbidden, match="on Variables"):
        granter.variable(key)
    with pytest.raises(Forbidden, match="on Variables"):
        granter.set_variable(key, "off")
    assert runner.variable(key).value == "on"
    runner.set_variable(key, "off")
    assert airflow.variable(key).value == "off"
