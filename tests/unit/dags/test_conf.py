"""A run's parameters: one validator for the page and the API."""

from __future__ import annotations

import json

import pytest

from portal.catalogue.models import Dag
from portal.core.errors import Invalid
from portal.dags.parameters import conf


def said(text):
    with pytest.raises(Invalid) as refusal:
        conf.parse(text)
    assert list(refusal.value.fields) == ["conf"]
    return refusal.value.fields["conf"]


def test_an_object_is_taken_as_it_is():
    assert conf.parse('{"region": "KR", "n": 1.5, "deep": {"list": [1, null, true]}}') == {
        "region": "KR",
        "n": 1.5,
        "deep": {"list": [1, None, True]},
    }


def test_nothing_means_no_parameters():
    assert conf.parse("  \n ") == {}


def test_a_mistake_is_named_by_line_and_column():
    assert "line 2, column 3" in said('{"region": "KR",\n  region: 1}')


@pytest.mark.parametrize("text", ["[1]", '"KR"', "3", "null"])
def test_only_an_object_will_do(text):
    assert "JSON object" in said(text)


@pytest.mark.parametrize("text", ['{"n": NaN}', '{"n": Infinity}', '{"n": -Infinity}', '{"n": 1e400}'])
def test_numbers_that_are_none_are_refused(text):
    assert "number" in said(text)


@pytest.mark.parametrize("number", [2**64 - 1, -(2**63), 2**63, 0])
def test_integers_that_airflow_can_hand_on_are_taken(number):
    assert conf.parse(f'{{"n": {number}}}') == conf.checked({"n": number}) == {"n": number}


@pytest.mark.parametrize("number", [2**64, -(2**63) - 1, 10**30, 10**900])
@pytest.mark.parametrize("around", ['{{"n": {}}}', '{{"n": [1, {}]}}', '{{"n": {{"deep": [{{"x": {}}}]}}}}'])
def test_integers_beyond_64_bits_are_refused_with_the_parameter_they_are_in(number, around):
    assert said(around.format(number)).startswith("“n” holds")
    assert "more than 64 bits" in said(around.format(number))


def test_thousands_of_digits_are_not_read():
    assert "more than 64 bits" in said('{"n": ' + "9" * 5000 + "}")


def test_a_number_with_a_point_may_be_large():
    assert conf.parse('{"n": 1e30}') == {"n": 1e30}


def test_a_name_given_twice_is_refused_at_any_depth():
    assert "“a” is given twice" in said('{"x": {"a": 1, "a": 2}}')


def test_too_deep_and_far_too_deep():
    assert "nested" in said('{"a":' * 40 + "1" + "}" * 40)
    assert "nested" in said('{"a":' + "[" * 30_000 + "]" * 30_000 + "}")


def test_too_large():
    assert "64 KiB" in said('{"a": "' + "x" * 70_000 + '"}')
    assert "64 KiB" in said('{"a": "' + "가" * 22_000 + '"}')
    assert "64 KiB" in said('{"a": "' + "x" * 300_000 + '"}')


@pytest.mark.parametrize("letter, bytes_each", [("x", 1), ("ж", 2), ("가", 3), ("🔒", 4)])
@pytest.mark.parametrize("ensure_ascii", [True, False], ids=["escaped", "as it is"])
def test_size_is_that_of_the_values_and_not_of_their_escapes(letter, bytes_each, ensure_ascii):
    values = {"a": letter * ((conf.MAX_BYTES - 20) // bytes_each)}
    assert conf.parse(json.dumps(values, ensure_ascii=ensure_ascii)) == values
    with pytest.raises(Invalid):
        conf.checked({"a": values["a"] + letter * 20})


@pytest.mark.parametrize("text", ['{"a": "\\u0000"}', '{"a": "\\ud800"}', '{"\\ud800": 1}', '{"a": ["\\u0000"]}'])
def test_characters_no_database_stores(text):
    assert "character" in said(text)


def test_locked_parameters_are_added_and_cannot_be_changed():
    dag = Dag(locked={"env": "prod"})
    assert conf.with_locked({"n": 1}, dag) == {"n": 1, "env": "prod"}
    assert conf.with_locked({"env": "prod"}, dag) == {"env": "prod"}
    with pytest.raises(Invalid, match='fixed to "prod"'):
        conf.with_locked({"env": "test"}, dag)
