"""Counting how often something happens, for all processes together."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from accounts.limits import Limit, best_effort
from accounts.models import RateCount, User
from portal.core import clock

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
def test_no_other_refusal_removes_a_count(db: None) -> None:
    assert [LIMIT.count("one"), LIMIT.count("one")] == [(1, 60), (2, 60)]
    for number in range(330):
        LIMIT.count(number)
    assert LIMIT.count("one") == (3, 60)


def test_limits_do_not_mix(db: None) -> None:
    counted = [LIMIT.count("a", "b"), LIMIT.count("a b"), Limit("other", 3, 60).count("a", "b")]
    assert [count for count, _ in counted] == [1, 1, 1]


def test_a_new_window_resets_the_count_and_deletes_old_rows(db: None) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        LIMIT.count("gone")
        assert LIMIT.count("one") == (1, 60)
        clock.shift(59)
        assert LIMIT.count("one") == (2, 1)
        clock.shift(1)
        assert LIMIT.count("one") == (1, 60)
        assert RateCount.objects.count() == 1


@time_machine.travel(NOW, tick=False)
def test_a_reopened_window_is_not_deleted(db: None) -> None:
    """Another process counts between the two statements of the sweep."""
    now = int(NOW.timestamp())
    RateCount.objects.create(key="renewed", ends=now - 1, count=3)

    def renew(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("DELETE"):
            with connection.cursor() as cursor:
                cursor.execute("UPDATE accounts_ratecount SET ends = %s WHERE key = 'renewed'", [now + 60])
        return execute(sql, params, many, context)

    with connection.execute_wrapper(renew):
        LIMIT.count("one")
    assert RateCount.objects.filter(pk="renewed").exists()


@pytest.mark.postgres
@time_machine.travel(NOW, tick=False)
def test_deleting_old_rows_waits_for_no_lock(transactional_db: None) -> None:
    now = int(NOW.timestamp())
    RateCount.objects.create(key="renewed", ends=now - 1, count=3)

    def count_other() -> int:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '1s'")  # a wait is an error, not a test that hangs
                return LIMIT.count("one")[0]
        finally:
            connection.close()

    with transaction.atomic(), ThreadPoolExecutor(1) as pool:
        RateCount.objects.filter(pk="renewed").update(ends=now + 60)
        assert pool.submit(count_other).result() == 1
    assert RateCount.objects.filter(pk="renewed").exists()


@pytest.mark.postgres
def test_the_time_is_the_databases(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "has_own_clock", lambda: True)
    monkeypatch.setattr(clock, "_reading", None)
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):
        LIMIT.count("one")
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            (now,) = cursor.fetchone()
    assert abs(RateCount.objects.get().ends - 60 - int(now)) < 30


def test_calls_up_to_the_limit_are_allowed(db: None) -> None:
    assert [LIMIT.reached("one") for _ in range(5)] == [False, False, False, True, True]


def test_a_subtracted_attempt_does_not_count(db: None) -> None:
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


def test_a_best_effort_write_may_fail(db: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("WARNING", "accounts.limits")
    with read_only():
        assert best_effort("the count", lambda: LIMIT.count("one")) is None
        assert not User.objects.exists(), "the connection still answers"
    assert "the count could not be written" in caplog.text
