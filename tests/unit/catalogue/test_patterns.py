import re
import sys

import pytest

from portal.catalogue import patterns


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "^OPS-[0-9]+$",
        r"(?:OPS|INC)-\d{1,8}",
        r"[A-Z]{2,10}-[1-9][0-9]*",
        r"(?i)chg\d{7}",
        r"(?=.*\d)[A-Z0-9]{8}",
        "(?:AB){3}",
    ],
)
def test_what_tickets_look_like_is_possible(pattern):
    assert patterns.checked(pattern) == pattern


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "not a regular expression"),
        ("[z-a]", "not a regular expression"),
        ("a{99999999999}", "not a regular expression"),
        ("x" * 201, "at most 200"),
        ("(a+)+$", "a repeat inside a repeat"),
        ("([a-z]*)*", "a repeat inside a repeat"),
        ("(a?){30}a{30}", "a repeat inside a repeat"),
        ("((?:ab)?c)+", "a repeat inside a repeat"),
        ("(ab|cd)*$", "an alternative"),
        (r"(a)\1", "a back-reference"),
        ("(a)?(?(1)b|c)", "a back-reference"),
        ("a*a*a*a*a*a*b", "6 repeats"),
    ],
)
def test_what_could_take_for_ever_is_not(pattern, said):
    with pytest.raises(ValueError, match=said):
        patterns.checked(pattern)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="syntax of 3.11")
def test_atomic_groups_and_possessive_repeats_are_looked_into():
    for pattern in ("(?>(a+)+)", "(a+)++"):
        re.compile(pattern)
        with pytest.raises(ValueError, match="inside a repeat"):
            patterns.checked(pattern)
