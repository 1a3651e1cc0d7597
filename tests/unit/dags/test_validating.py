"""The check of a run's parameters: the DAG's schema, the catalogue's rules, and refusals in words."""

from __future__ import annotations

import json

import pytest

from portal.audit.models import AuditEvent
from portal.catalogue.models import Dag
from portal.core.errors import Invalid
from portal.dags import actions
from portal.dags.models import DagState, Run
from portal.dags.parameters import declared, validating
from portal.dags.parameters.declared import Declared
from portal.worker import runs
from tests.factories import work_off


def said(schema, value, *, name="p", **more):
    one = Declared(name, schema, has_default=False, **more)
    return validating.problems({name: one}, {name: value}, undeclared=False).get(f"conf.{name}", "")


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"enum": ["KR", "EU"]}, "US", 'p: "US" is not possible: choose one of KR, EU.'),
        ({"const": 1}, 2, "p: 2 is not possible: it is always 1."),
        ({"type": "integer"}, "x", 'p: "x" is not possible: enter a whole number.'),
        ({"type": ["integer", "null"]}, 1.5, "p: 1.5 is not possible: enter a whole number or null."),
        ({"minimum": 3}, 2, "p: 2 is too small: at least 3 is allowed."),
        ({"maximum": 3}, 4, "p: 4 is too large: at most 3 is allowed."),
        ({"exclusiveMinimum": 3}, 3, "p: 3 is too small: it must be more than 3."),
        ({"exclusiveMaximum": 3}, 3, "p: 3 is too large: it must be less than 3."),
        ({"multipleOf": 5}, 7, "p: 7 is not possible: it must be a multiple of 5."),
        ({"minLength": 3}, "ab", 'p: "ab" has 2 characters; at least 3 are needed.'),
        ({"maxLength": 3}, "abcd", 'p: "abcd" has 4 characters; at most 3 are allowed.'),
        ({"minItems": 2}, ["a"], "p: This value has 1 entry; at least 2 are needed."),
        ({"maxItems": 1}, ["a", "b"], "p: This value has 2 entries; at most 1 is allowed."),
        ({"uniqueItems": True}, ["a", "a"], "p: This value lists a value twice; each value is allowed once."),
        ({"pattern": "^A"}, "b", 'p: "b" does not match the pattern ^A.'),
        ({"format": "date"}, "2026-02-30", 'p: "2026-02-30" is not a date, like 2026-11-21.'),
        ({"required": ["size"]}, {}, "p: This value needs “size”, which is missing."),
        ({"items": {"maximum": 3}}, [1, 9], "p: In item 2, 9 is too large: at most 3 is allowed."),
        ({"properties": {"n": {"type": "string"}}}, {"n": 1}, "p: In “n”, 1 is not possible: enter text."),
        ({"maximum": 3, "title": "Days"}, 4, "Days (p): 4 is too large: at most 3 is allowed."),
        ({"pattern": "^(a|aa)+$"}, "a" * 38 + "!", "p cannot be checked, so it cannot be run from here: in its schema"),
    ],
)
def test_a_refusal_names_parameter_value_and_what_is_allowed(schema, value, words):
    assert said(schema, value).startswith(words)


def test_a_long_value_is_cut():
    assert len(said({"type": "integer"}, "x" * 10_000)) < 250
    assert len(said({"enum": [f"{n}" * 90 for n in range(100)]}, "x")) < 2_500


@pytest.mark.parametrize(
    "schema",
    [
        {"enum": ["hunter-2"]}, {"const": "hunter-2"}, {"type": "integer"}, {"pattern": "^x"}, {"maxLength": 2},
        {"not": {}}, {"anyOf": [{"const": "hunter-2"}, {"type": "null"}]}, {"minLength": 20},
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "more"),
    [("db_password", {}), ("pin", {"format": "password"}), ("pin", {"writeOnly": True})],
)
def test_a_refusal_repeats_no_secret(schema, name, more):
    words = said({**schema, **more}, "hunter-1", name=name, is_secret=name == "db_password")
    assert words.startswith(f"{name}: ") and "hunter" not in words


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, {"host": "db", "password": "hunter-1"}),
        ({"properties": {"password": {"enum": ["hunter-2"]}}}, {"password": "hunter-1"}),
        ({"properties": {"password": {"enum": ["hunter-2"]}}}, {"password": ""}),
        ({"additionalProperties": False}, {"postgres://u:hunter-1@db": 1}),
        ({"type": "integer"}, "postgres://u:hunter-1@db/x"),
        ({"maxProperties": 0}, {"api_key": "hunter-1"}),
    ],
)
def test_a_refusal_repeats_no_part_that_is_secret(schema, value):
    words = said(schema, value)
    assert words and "hunter" not in words


# --- the catalogue's rules -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("schema", "bounds", "merged"),
    [
        ({"type": "number", "maximum": 10}, {"maximum": 5}, {"type": "number", "maximum": 5}),
        ({"type": "number", "maximum": 5}, {"maximum": 10}, {"type": "number", "maximum": 5}),
        ({"minimum": 1}, {"minimum": 3, "maximum": 9}, {"type": "number", "minimum": 3, "maximum": 9}),
        ({"enum": ["a", "b", 1]}, {"enum": ["b", "c", True]}, {"enum": ["b"]}),
        ({"pattern": "a"}, {"pattern": "b"}, {"type": "string", "pattern": "a", "allOf": [{"pattern": "b"}]}),
        ({"type": "string"}, {"title": "Mine"}, {"type": "string", "title": "Mine"}),
    ],
)
def test_of_two_bounds_the_stricter_one_counts(schema, bounds, merged):
    assert declared.bounded(schema, bounds) == merged


@pytest.mark.parametrize(
    ("schema", "bounds", "allowed", "refused"),
    [
        ({}, {"maximum": 10}, 5, ["100000", [100], {"n": 100}, True, None]),
        ({"type": ["string", "integer"]}, {"maximum": 10}, 5, ["100000", None]),
        ({"type": ["integer", "null"]}, {"maximum": 10}, None, ["100000", 11]),
        ({"type": "string"}, {"maximum": 10}, None, ["100000", 5]),
        ({}, {"pattern": "^EU"}, "EU", [["US"], 5]),
        ({}, {"type": ["number", "string"], "maximum": 10}, "all", [11, [11]]),
        ({}, {"items": {"maximum": 10}}, [5], [["100000"], "100000"]),
        ({}, {"anyOf": [{"maximum": 10}, {"const": "all"}]}, "all", ["100000", 11]),
        ({"type": "array", "prefixItems": [{}]}, {"items": {"enum": ["a"]}}, ["a"], [["b"]]),
        (
            {"type": "object", "properties": {"a": {}, "b": {}}},
            {"properties": {"a": {}}, "additionalProperties": False},
            {"a": 1},
            [{"b": 1}],
        ),
        ({"type": "object", "properties": {"a": {}}}, {"additionalProperties": False}, {"a": 1}, [{"b": 1}]),
        ({"type": "array", "contains": {"const": 1}}, {"contains": {"const": 2}, "minContains": 0}, [1], [[2]]),
    ],
)
def test_a_bound_is_not_avoided_by_another_type_or_by_a_keyword_of_the_dag(schema, bounds, allowed, refused):
    merged = declared.bounded(schema, bounds)
    if schema != {"type": "string"}:
        assert said(merged, allowed) == ""
    assert [value for value in refused if not said(merged, value)] == []


def test_a_bound_does_not_repair_a_broken_schema():
    assert "cannot be checked" in said(declared.bounded({"allOf": 5, "pattern": "a"}, {"pattern": "b"}), "ab")


@pytest.mark.parametrize("default", [5, "hunter"])
def test_a_default_that_breaks_a_bound_is_refused_although_it_is_left_out(default):
    one = Declared("days_back", {"maximum": 3, "type": "integer"}, default=default)
    words = validating.problems({"days_back": one}, {}, undeclared=False)["conf.days_back"]
    assert words.startswith(f"days_back needs another value than the DAG's default, {json.dumps(default)}. ")
    assert validating.problems({"days_back": one}, {"days_back": 2}, undeclared=False) == {}


def test_a_parameter_without_a_default_must_be_given():
    one = Declared("region", {"type": "string", "enum": ["KR", "EU"]}, has_default=False)
    wrong = validating.problems({"region": one}, {}, undeclared=False)
    assert wrong == {"conf.region": "region needs a value: one of KR, EU."}


@pytest.fixture
def dag(cast, airflow):
    airflow.state.dags["sales_report"].params |= {
        "days_back": {"value": 3, "schema": {"type": "integer", "minimum": 1, "maximum": 30}},
        "asked_by": {"value": "nobody", "schema": {"type": "string"}},
    }
    runs.read_dag(Dag.objects.get(dag_id="sales_report"))
    return Dag.objects.select_related("state").get(dag_id="sales_report")


def rule(**columns):
    Dag.objects.filter(dag_id="sales_report").update(**columns)


def refused(cast, dag, conf):
    with pytest.raises(Invalid) as caught:
        actions.trigger(by=cast["colleague"], dag=dag, conf=conf)
    event = AuditEvent.objects.latest("seq")
    assert (event.verb, event.outcome, Run.objects.count()) == ("run.request_refused", "refused", 0)
    return caught.value.fields


def test_locked_and_requester_parameters_are_sent_and_nobody_else_sets_them(cast, airflow, dag):
    rule(locked={"region": "EU"}, requester_param="asked_by")
    assert list(refused(cast, dag, {"region": "KR"})) == ["conf.region"]
    assert list(refused(cast, dag, {"asked_by": "lead"})) == ["conf.asked_by"]
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"days_back": 2})
    actions.trigger(by=cast["colleague"], dag=dag, conf={"region": "EU", "asked_by": "colleague"})
    work_off()
    fixed = {"region": "EU", "asked_by": "colleague"}
    assert run.conf == {"days_back": 2, **fixed}
    assert [there.conf for there in airflow.state.runs] == [{"days_back": 2, **fixed}, fixed]


def test_a_locked_value_is_checked_too(cast, dag):
    rule(locked={"region": "US"})
    assert refused(cast, dag, {}) == {
        "conf.region": 'Region (region): "US" is not possible: choose one of KR, APAC, EU.'
    }


def test_bounds_of_the_catalogue_hold_for_given_values_and_defaults(cast, dag):
    rule(bounds={"days_back": {"maximum": 7}})
    assert refused(cast, dag, {"days_back": 8}) == {
        "conf.days_back": "days_back: 8 is too large: at most 7 is allowed."
    }
    rule(bounds={"days_back": {"maximum": 2}})
    assert list(refused(cast, dag, {})) == ["conf.days_back"]
    assert actions.trigger(by=cast["colleague"], dag=dag, conf={"days_back": 2}).conf == {"days_back": 2}


def test_undeclared_parameters_are_accepted_only_where_the_catalogue_says_so(cast, dag):
    words = "The DAG has no parameter “regoin”. It has region, dry_run, date, days_back, asked_by."
    assert refused(cast, dag, {"regoin": "EU", "region": "US"}).keys() == {"conf.region", "conf.regoin"}
    assert refused(cast, dag, {"regoin": "EU"}) == {"conf.regoin": words}
    rule(undeclared=True)
    assert actions.trigger(by=cast["colleague"], dag=dag, conf={"regoin": "EU"}).conf == {"regoin": "EU"}


def test_bounds_hold_for_parameters_that_only_the_catalogue_knows(cast, airflow, dag):
    rule(undeclared=True, bounds={"limit": {"maximum": 10}})
    assert list(refused(cast, dag, {"limit": 11})) == ["conf.limit"]
    assert list(refused(cast, dag, {"limit": "11"})) == ["conf.limit"]
    run = actions.trigger(by=cast["colleague"], dag=dag, conf={"limit": 10})
    rule(bounds={"limit": {"maximum": 9}})
    work_off()
    run.refresh_from_db()
    assert (run.status, airflow.state.runs) == ("failed", []) and "at most 9" in run.error


def test_a_run_that_would_do_nothing_needs_to_be_confirmed(cast, airflow, dag):
    airflow.state.dags["sales_report"].import_errors = True
    runs.read_dag(dag)
    assert list(refused(cast, dag, {})) == ["confirm"]
    assert actions.trigger(by=cast["colleague"], dag=dag, conf={}, confirmed=True).status == "requested"


def test_parameters_keep_the_order_of_the_dag_in_every_database(dag):
    """PostgreSQL stores the members of a JSON object in an order of its own."""
    state = DagState.objects.get(dag=dag)
    declared = list(state.params_in_order)
    DagState.objects.update(params=dict(sorted(state.params.items())))
    state.refresh_from_db()
    assert list(state.params_in_order) == declared == ["region", "dry_run", "date", "days_back", "asked_by"]
