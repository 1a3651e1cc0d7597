"""Which lines of a log are shown on the page of a failed run."""

from __future__ import annotations

import pytest

from portal.dags.runs.logs import AROUND, WHOLE, Excerpt


def excerpt(lines: int, *errors: int) -> Excerpt:
    made = Excerpt()
    for number in range(1, lines + 1):
        made.add(str(number), is_error=number in errors)
    return made


@pytest.mark.parametrize(
    ("lines", "errors", "first", "last"),
    [
        (1000, [500], 480, 520),
        (1000, [500, 510, 900], 480, 520),
        (1000, [3], 1, 23),
        (1000, [21], 1, 41),
        (1000, [998], 978, 1000),
        (1000, [], 960, 1000),
        (42, [5], 1, 25),
        (42, [41], 21, 42),
        (42, [], 2, 42),
        (WHOLE, [1], 1, WHOLE),
        (WHOLE, [WHOLE], 1, WHOLE),
        (WHOLE, [30], 1, WHOLE),
        (WHOLE, [], 1, WHOLE),
        (1, [1], 1, 1),
    ],
)
def test_a_short_log_is_whole_and_the_error_of_a_long_one_is_in_the_middle(lines, errors, first, last):
    made = excerpt(lines, *errors)
    assert made.kept == [str(number) for number in range(first, last + 1)]
    assert made.first == first
    assert made.error_at == (errors[0] if errors else None)
    assert WHOLE == 2 * AROUND + 1


def test_an_empty_log():
    assert (excerpt(0).kept, excerpt(0).first) == ([], 0)
