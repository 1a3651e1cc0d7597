"""What time brings, for each of many rows."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, OperationalError

from portal.core import due
from portal.core.errors import Conflict


@pytest.mark.parametrize("error", [Conflict("somebody was first"), ValueError("unforeseen"), IntegrityError("a row")])
def test_a_failing_row_does_not_stop_the_others(error):
    done = []

    def end(number):
        if number == 1:
            raise error
        done.append(number)

    assert due.each([1, 2, 3], end) == 2
    assert done == [2, 3]


def test_a_database_failure_ends_the_loop():
    asked = []

    def end(number):
        asked.append(number)
        raise OperationalError("away")

    with pytest.raises(OperationalError):
        due.each([1, 2, 3], end)
    assert asked == [1]
