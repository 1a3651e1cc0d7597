"""What whatever watches the portal is told, and what the deployments page shows of the portal itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from portal.access.models import AccessRequest, Grant
from portal.dags.models import RunRequest
from portal.operations.models import Operation, Process
from portal.worker import alarms, readiness
from tests import factories
from tests.views.pages import Page


@pytest.fixture
def living(db):
    """living("worker", ago=5) is a process that gave its last sign of life 5 s ago."""

    def make(name, *, ago=1, **more):
        now = timezone.now()
        seen = now - timedelta(seconds=ago)
        return Process.objects.create(
            id=f"{name}-{Process.objects.count()}",
            name=name,
            host="host-1",
            pid=7,
            started_at=now,
            seen_at=seen,
            **more,
        )

    return make


@pytest.fixture
def well(living):
    for name in ("web", "worker", "beat"):
        living(name)


def ready(client_as):
    answer = client_as("").get("/health/ready")
    return answer.status_code, answer.json()


def test_all_is_well(client_as, well):
    assert ready(client_as) == (200, {"status": "ok", "database": "ok", "problems": [], "notes": []})


def test_without_a_worker_it_is_not_ready(client_as, living):
    living("beat")
    status, said = ready(client_as)
    assert (status, said["status"]) == (503, "unavailable")
    assert "No worker sends a heartbeat" in said["problems"][0]
    living("worker", ended_at=timezone.now())
    assert ready(client_as)[0] == 503
    living("worker", ago=300)
    status, said = ready(client_as)
    assert status == 503
    assert any("worker on host-1 (process 7) sent its last heartbeat 5 minutes ago" in words for words in said["notes"])
    living("worker")
    assert ready(client_as)[0] == 200


def test_without_beat_it_is_ready_and_says_so(client_as, living):
    living("worker")
    status, said = ready(client_as)
    assert status == 200
    assert "Beat sends no heartbeat" in said["notes"][0]


@pytest.mark.parametrize(("late", "status"), [(5, 200), (30, 200), (90, 503)])
def test_access_past_its_end(client_as, airflow, well, late, status):
    factories.grant_at_status("active")
    Grant.objects.update(ends_at=timezone.now() - timedelta(seconds=late))
    answered, said = ready(client_as)
    assert answered == status
    told = [*said["problems"], *said["notes"]]
    assert told == ([] if late == 5 else [f"Access past its end: 1, the oldest due {told[0].rpartition('due ')[2]}"])


def test_other_things_past_their_time(client_as, airflow, well, cast):
    factories.grant_at_status("scheduled")
    factories.request_at_status("pending", by="colleague")
    long_ago = timezone.now() - timedelta(minutes=10)
    Grant.objects.update(starts_at=long_ago)
    factories.scheduled_run()
    RunRequest.objects.update(start_at=long_ago)
    AccessRequest.objects.filter(status="pending").update(
        created_at=long_ago, lapses_at=long_ago + timedelta(seconds=1)
    )
    factories.request_at_status("approved", entitlement="demo/role/Viewer")
    Operation.objects.filter(status="queued").update(not_before=long_ago)
    status, said = ready(client_as)
    assert status == 503
    late = ["Access not started", "Runs not started", "Requests not lapsed"]
    assert [words.partition(":")[0] for words in said["problems"]] == late
    assert [words.partition(":")[0] for words in said["notes"]] == ["Operations not begun"]
    factories.observe(status="down")
    assert ready(client_as)[1]["notes"] == [], "what waits for an Airflow is not the portal's delay"


def test_a_removal_that_nobody_begins(client_as, airflow, well, cast):
    factories.grant_at_status("ending")
    Operation.objects.filter(status="queued").update(not_before=timezone.now() - timedelta(minutes=10))
    status, said = ready(client_as)
    assert status == 503
    assert said["problems"][0].startswith("Removals not begun: 1")


def test_a_removal_that_does_not_succeed(client_as, airflow, well, cast):
    """An Airflow that is away is not the portal's delay, but who still holds what is over is to be known."""
    factories.grant_at_status("ending")
    factories.observe(status="down")
    assert ready(client_as)[1]["notes"] == []
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        assert alarms.raise_of_old() == 1
        Process.objects.update(seen_at=timezone.now())
        status, said = ready(client_as)
    assert status == 200
    assert said["notes"] == ["Removals that do not succeed: 1, the oldest due 11 minutes ago"]


def test_clocks_that_are_wrong(client_as, airflow, living):
    living("worker", ahead_ms=-4200)
    living("beat", ahead_ms=1900)
    factories.observe(clock_ahead=180.0)
    status, said = ready(client_as)
    assert status == 200
    assert said["notes"] == [
        "The clock of the host host-1 is 4.2 s behind the database's.",
        "The clock of Airflow on demo is 3 minutes ahead of the database's.",
    ]
    page = Page(client_as("admin").get("/deployments"))
    assert "4.2 s behind the database's" in page.text
    assert "The clock of Airflow on demo" in page.text


def test_the_page_shows_the_processes(client_as, airflow, living):
    living("worker", ago=300)
    page = Page(client_as("admin").get("/deployments"))
    for words in (
        "Gatehouse itself",
        "No worker sends a heartbeat",
        "Worker host-1, process 7 silent since 5 minutes ago",
    ):
        assert words in page.text, page.text


@pytest.mark.parametrize(("ahead", "said"), [(4.24, "4.2 s ahead of"), (-3600.4, "1 hour behind")])
def test_how_far_apart(ahead, said):
    assert readiness.apart(ahead) == said
