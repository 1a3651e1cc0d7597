"""A parameter's schema in words."""

from __future__ import annotations

import pytest

from portal.web.dags.params import in_words


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({}, "any JSON value"),
        ({"type": "string"}, "text"),
        ({"type": ["null", "string"]}, "text, or null"),
        ({"type": "string", "enum": ["KR", "APAC", "EU"]}, "one of KR, APAC, EU"),
        ({"enum": [1, None, True]}, "one of 1, true"),
        ({"enum": list(range(15))}, "one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more"),
        ({"type": "integer", "minimum": 1, "maximum": 10}, "whole number from 1 to 10"),
        ({"type": "number", "minimum": 0}, "number from 0"),
        ({"type": "number", "maximum": 5}, "number up to 5"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 5}, "number up to 5, more than 0"),
        ({"type": "integer", "multipleOf": 7}, "whole number a multiple of 7"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "string", "format": "date"}, "date, like 2026-11-21"),
        ({"type": "string", "format": "unheard-of"}, "text"),
        ({"type": "string", "minLength": 2, "maxLength": 4}, "text, 2 to 4 characters"),
        ({"type": "string", "minLength": 3, "maxLength": 3}, "text, 3 characters"),
        ({"type": "string", "minLength": 2}, "text, at least 2 characters"),
        ({"type": "string", "maxLength": 4}, "text, at most 4 characters"),
        ({"type": "string", "pattern": "^A"}, "text, matching ^A"),
        ({"type": "array"}, "list"),
        ({"type": "array", "items": {"type": "integer"}}, "list of whole numbers"),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, "list of a, b"),
        ({"type": "array", "items": {"type": "string", "format": "email"}}, "list of e-mail addresses"),
        (
            {"type": "array", "items": {"type": "number", "minimum": 1}, "minItems": 2},
            "list of numbers from 1, at least 2 entries",
        ),
        ({"type": "object"}, "object"),
        ({"type": ["string", "integer"]}, "text or whole number"),
        ({"const": "prod"}, 'always "prod"'),
        ({"type": "odd"}, "odd"),
        ({"enum": "not a list", "type": "string"}, "text"),
    ],
)
def test_in_words(schema, words):
    assert in_words(schema) == words
