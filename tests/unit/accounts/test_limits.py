"""Counting how often something happens, for all processes together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import time_machine
from django.db import connection, transaction

from accounts.limits import Limit, best_effort, network_of
from accounts.models import RateCount, User

LIMIT = Limit("test", 3, 60)
NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@contextmanager
def read_only() -> Iterator[None]:
    """The database takes no writes."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA query_only = ON")
            yield
            cursor.execute("PRAGMA query_only = OFF")
        else:
            mark = transaction.savepoint()
            cursor.execute("SET LOCAL transaction_read_only = on")
            yield
            transaction.savepoint_rollback(mark)


@time_machine.travel(NOW, tick=False)
def test_nothing_pushes_a_count_out(db: None) -> None:
    assert [LIMIT.count("one"), LIMIT.count("one")] == [(1, 60), (2, 60)]
    for number in range(330):
        LIMIT.count(number)
    assert LIMIT.count("one") == (3, 60)


def test_limits_do_not_mix(db: None) -> None:
    counted = [LIMIT.count("a", "b"), LIMIT.count("a b"), Limit("other", 3, 60).count("a", "b")]
    assert [count for count, _ in counted] == [1, 1, 1]


def test_counting_begins_anew_and_what_is_over_is_removed(db: None) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        LIMIT.count("gone")
        assert LIMIT.count("one") == (1, 60)
        clock.shift(59)
        assert LIMIT.count("one") == (2, 1)
        clock.shift(1)
        assert LIMIT.count("one") == (1, 60)
        assert RateCount.objects.count() == 1


def test_so_many_are_allowed(db: None) -> None:
    assert [LIMIT.reached("one") for _ in range(5)] == [False, False, False, True, True]


def test_what_is_taken_back_does_not_count(db: None) -> None:
    LIMIT.count("one")
    LIMIT.take_back("one")
    LIMIT.take_back("one")
    assert LIMIT.count("one")[0] == 1


@time_machine.travel(NOW, tick=False)
def test_many_at_once_are_all_counted(transactional_db: None) -> None:
    def count(_: int) -> int:
        try:
            return LIMIT.count("one")[0]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(count, range(24))) == list(range(1, 25))


def test_a_write_that_nobody_depends_on_may_fail(db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "accounts.limits")
    with read_only():
        assert best_effort("the count", lambda: LIMIT.count("one")) is None
        assert not User.objects.exists(), "the connection still answers"
    assert "the count could not be written" in caplog.text


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("", ""),
    ],
)
def test_one_caller_is_one_network(address: str, network: str) -> None:
    assert network_of(address) == network
