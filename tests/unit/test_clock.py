"""The database's clock decides, whatever the host's clock shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from portal.access import grants
from portal.access.models import Grant
from portal.core import clock
from tests import factories

HOUR = timedelta(hours=1)
AGREE = timedelta(seconds=30)  # generous: what is to be told apart lies an hour away


@pytest.fixture
def _clock_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here, and only here, the database's own clock is asked."""
    monkeypatch.setattr(clock, "_reading", None)


def of_the_database() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0].astimezone(UTC)


@pytest.mark.postgres
@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_a_host_with_a_wrong_clock_uses_the_database_clock(db, wrong):
    with time_machine.travel(timezone.now() + wrong):
        assert abs(clock.now() - of_the_database()) < AGREE
        assert abs(clock.ahead() - wrong) < AGREE


@pytest.mark.postgres
@pytest.mark.parametrize("step", [-HOUR, HOUR])
def test_a_host_whose_clock_is_set_while_the_portal_runs_asks_again(db, step):
    before = clock.now()
    with time_machine.travel(timezone.now() + step):
        assert abs(clock.now() - before) < AGREE
        assert abs(clock.ahead() - step) < AGREE


@pytest.mark.postgres
def test_while_the_database_does_not_answer_time_goes_on_from_its_last_answer(db):
    before = clock.now()
    with time_machine.travel(timezone.now() + HOUR), transaction.atomic():
        with pytest.raises(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT no_such_column")
        assert before < clock.now() < before + AGREE
        transaction.set_rollback(True)


@pytest.mark.postgres
@pytest.mark.parametrize("wrong", [-2 * HOUR, 2 * HOUR])
def test_a_grant_ends_by_the_clock_of_the_database(airflow, wrong):
    over, lasting = factories.grant_at_status("active"), factories.grant_at_status("active", by="colleague")
    Grant.objects.filter(pk=over.pk).update(ends_at=of_the_database() - timedelta(seconds=1))
    Grant.objects.filter(pk=lasting.pk).update(ends_at=of_the_database() + HOUR)
    with time_machine.travel(timezone.now() + wrong):
        assert grants.expire_due() == 1
    assert Grant.objects.get(pk=over.pk).status == "ending"
    assert Grant.objects.get(pk=lasting.pk).status == "active"


def test_sqlite_uses_the_clock_of_the_host(db):
    if connection.vendor == "postgresql":
        assert clock.has_own_clock()
        return
    with time_machine.travel(timezone.now() + HOUR, tick=False):
        assert clock.now() == timezone.now()
        assert clock.ahead() == timedelta(0)
