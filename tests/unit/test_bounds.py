"""What may be entered; and that checking costs steps in proportion to what is checked."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import FrameType
from typing import Any

import pytest
from django.test import RequestFactory

from portal.api.parsing import StrictParser
from portal.core import bounds, strict_json
from portal.core.errors import Invalid
from portal.core.text import search_words
from portal.core.text_checks import clean_text
from portal.dags.parameters import conf


def steps(work: Callable[[], Any]) -> int:
    """How many lines of our own code run."""
    count = 0

    def trace(frame: FrameType, event: str, arg: object) -> Any:
        nonlocal count
        if "/portal/" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except Invalid:
        pass
    finally:
        sys.settrace(before)
    return count


def body(text: str) -> Any:
    return StrictParser().parse_body(RequestFactory().post("/", text, content_type="application/json"))


def many(number: int) -> str:
    """An object of many names, the last of which is there twice."""
    names = [f"n{place}" for place in range(number)]
    return "{" + ",".join(f'"{name}":1' for name in [*names, names[-1]]) + "}"


COSTS: dict[str, tuple[Callable[[str], Any], Callable[[int], str]]] = {
    "a body with a name twice": (body, many),
    "a body": (body, lambda number: json.dumps({f"n{place}": "x" for place in range(number)})),
    "a body of lists": (body, lambda number: json.dumps({"a": [[place] for place in range(number)]})),
    "parameters with a name twice": (conf.parse, many),
    "parameters": (conf.parse, lambda number: json.dumps({f"n{place}": [place] for place in range(number)})),
    "words": (search_words, lambda number: "w " * number),
    "a reason": (lambda text: clean_text("reason", text), lambda number: "é" * number),
    "fields": (
        lambda text: bounds.check_fields({name: ["x"] for name in text.split()}, longest=9),
        lambda number: " ".join(f"n{place}" for place in range(number)),
    ),
}


@pytest.mark.parametrize("name", COSTS)
def test_the_cost_is_linear(name: str) -> None:
    check, make = COSTS[name]
    once, twice = make(150), make(300)
    assert steps(lambda: check(twice)) <= 2.2 * steps(lambda: check(once)) + 50


@pytest.mark.parametrize(("names", "twin"), [("", None), ("a b c", None), ("a b a b", "a"), ("a b c b", "b")])
def test_the_first_duplicate(names: str, twin: str | None) -> None:
    assert bounds.first_duplicate(names.split()) == twin


class Name(str):
    """A name that counts how often it is looked at."""

    looks = 0

    def __eq__(self, other: object) -> bool:
        Name.looks += 1
        return str.__eq__(self, other)

    def __hash__(self) -> int:
        Name.looks += 1
        return str.__hash__(self)


def test_each_name_is_compared_a_constant_number_of_times() -> None:
    Name.looks = 0
    strict_json.object_of([(Name(f"n{number}"), 1) for number in range(1000)])
    assert Name.looks < 10 * 1000


def test_a_duplicate_name_is_reported() -> None:
    for read in (body, conf.parse):
        with pytest.raises(Invalid) as refused:
            read('{"region": "KR", "x": 1, "region": "EU"}')
        assert "region" in str(refused.value.fields)


@pytest.mark.parametrize("hours", [-14, 0, 14])
@pytest.mark.parametrize("moment", [datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59), datetime(2026, 11, 21)])  # noqa: DTZ001
def test_a_bounded_time_exists_in_every_time_zone(moment: datetime, hours: int) -> None:
    given = moment.replace(tzinfo=timezone(timedelta(hours=hours)))
    found = bounds.moment(given)
    for other in (-24, 24):
        found.astimezone(timezone(timedelta(hours=other, minutes=-1 if other > 0 else 1)))
    if moment.year == 2026:
        assert found == given and found.tzinfo is UTC
    else:
        assert abs(found.year - moment.year) == 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"q": ["x" * 21]}, "q"),
        ({"x" * 101: ["a"]}, "x" * 40),
        ({"q": ["a", "b\0"]}, "q"),
        ({"q\0\n": ["a"]}, "q??"),
        ({"q": ["\ud800"]}, "q"),
        ({f"n{number}": ["a"] for number in range(201)}, "fields"),
    ],
)
def test_an_unacceptable_field_is_named(given: dict[str, list[str]], named: str) -> None:
    with pytest.raises(Invalid) as refused:
        bounds.check_fields(given, longest=20)
    assert list(refused.value.fields) == [named]


def test_valid_fields_are_accepted() -> None:
    bounds.check_fields({"q": ["x" * 20, "\U0001f600"], "é" * 100: []}, longest=20)
