"""Validation by JSON Schema: what the library accepts, within limits that a stranger's schema cannot lift."""

from __future__ import annotations

import pytest
from jsonschema import FormatChecker, ValidationError
from jsonschema import validate as airflows_check

from portal.core import json_schema

ENDLESS = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
DOUBLING = {
    "$ref": "#/$defs/d30",
    "$defs": {"d0": {"type": "string"}}
    | {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n - 1}"}, {"$ref": f"#/$defs/d{n - 1}"}]} for n in range(1, 31)},
}
SLOW = "a" * 38 + "!"  # seconds for `^(a|aa)+$` without a limit
NESTED: dict[str, object] = {}
for _ in range(3000):
    NESTED = {"not": NESTED}
OLDER = "http://json-schema.org/draft-07/schema#"


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        ({"pattern": "^(a|aa)+$"}, SLOW, "takes too long"),
        ({"patternProperties": {"^(a|aa)+$": {}}}, {SLOW: 1}, "takes too long"),
        ({"additionalProperties": False, "patternProperties": {"^(a|aa)+$": {}}}, {SLOW: 1}, "takes too long"),
        ({"pattern": "a" * 1001}, "a", "longer than 1000 characters"),
        ({"$ref": "http://127.0.0.1:1/x.json"}, 1, "which is not in the schema"),
        ({"$ref": "file:///etc/passwd"}, 1, "which is not in the schema"),
        (ENDLESS, 1, "refers to itself without an end"),
        (DOUBLING, "x", "takes too long"),
        ({"$schema": OLDER, "pattern": "^(a|aa)+$"}, SLOW, "takes too long"),
        ({"items": {"$schema": OLDER, "pattern": "^(a|aa)+$"}}, [SLOW], "takes too long"),
        ({"allOf": [{"$schema": OLDER, "pattern": "^(a|aa)+$"}]}, SLOW, "takes too long"),
        ({"unevaluatedProperties": False, "patternProperties": {"^(a|aa)+$": {}}}, {"a": 1}, "unevaluatedProperties"),
        ({"type": "odd"}, 1, "there is no type odd"),
        ({"pattern": "("}, "a", "not a valid JSON Schema"),
        ({"minimum": "x"}, 1, "not a valid JSON Schema"),
        ({"multipleOf": 0}, 1, "cannot be calculated"),
        ({"multipleOf": 0.1}, 10**400, "cannot be calculated"),
        ({"$id": 5}, 1, "not a valid JSON Schema"),
        (NESTED, 1, "refers to itself without an end"),
    ],
)
def test_a_schema_cannot_lift_the_limits(schema, value, words):
    with pytest.raises(json_schema.BadSchema, match=words):
        json_schema.errors(schema, value)


def test_patterns_share_one_time_limit(monkeypatch):
    """Each match is quick enough, all of them together are not."""
    now = iter(range(10_000))
    monkeypatch.setattr(json_schema.time, "monotonic", lambda: next(now) / 10)
    with pytest.raises(json_schema.BadSchema, match="takes too long"):
        json_schema.errors({"items": {"pattern": "^a$"}}, ["a"] * 30)


def test_each_check_has_all_steps_again():
    schema = {"items": {"type": "integer"}}
    for _ in range(3):
        assert json_schema.errors(schema, list(range(30_000))) == []


@pytest.mark.parametrize("last", [1, True, 1.0, "1", [1], {"a": 1}, None])
def test_a_large_mixed_list_of_different_values_is_read_in_one_pass(last):
    many = [*range(2, 5000), *(f"t{n}" for n in range(5000)), *([n] for n in range(2, 3000)), False, 0]
    assert json_schema.errors({"uniqueItems": True}, [*many, last]) == []
    (error,) = json_schema.errors({"uniqueItems": True}, [last, *many, last])
    assert error.validator == "uniqueItems"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "17:00:00"), ("time", "17:00"), ("time", "17:00:00Z"), ("time", "25:00:00"),
        ("date", "2026-11-21"), ("date", "2026-02-30"), ("date", "20261121"),
        ("date-time", "2026-11-21T17:00:00+00:00"), ("date-time", "2026-11-21T17:00:00"), ("date-time", "2026-11-21"),
        ("duration", "PT2H"), ("duration", "2h"),
        ("email", "a@b"), ("email", "a"),
        ("ipv4", "10.0.0.1"), ("ipv4", "10.0.0.256"),
        ("regex", "^a+$"), ("regex", "("),
        ("uri", "https://x.example/a"), ("uri", "no address"),
        ("uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d16380"), ("uuid", "2eb8aa08"),
        ("multiline", "a\nb"), ("unheard-of", "x"),
    ],
)  # fmt: skip
def test_formats_are_those_that_airflow_checks(name, value):
    schema = {"type": "string", "format": name}
    assert (json_schema.errors(schema, value) == []) is accepted_by_airflow(schema, value)


def accepted_by_airflow(schema, value) -> bool:
    try:
        airflows_check(value, schema, format_checker=FormatChecker())
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize("name", ["email", "uri", "hostname", "idn-email", "idn-hostname", "regex"])
def test_the_format_of_a_very_long_text_is_not_tried(name):
    (error,) = json_schema.errors({"format": name}, "a" * 50_000)
    assert "at most 2000 characters" in error.message


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "odd"}, "type"),
        ({"minimum": "x"}, "minimum"),
        ({"enum": "x" * 70_000}, "larger than 64 KiB"),
    ],
)
def test_a_schema_that_is_none_is_refused(schema, words):
    with pytest.raises(json_schema.BadSchema, match=words):
        json_schema.check_schema(schema)


def test_a_schema_that_is_too_deep_is_refused():
    schema: dict[str, object] = {}
    for _ in range(50):
        schema = {"not": schema}
    with pytest.raises(json_schema.BadSchema, match="deeper than 40 levels"):
        json_schema.check_schema(schema)
