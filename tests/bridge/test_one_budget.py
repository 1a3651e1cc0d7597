"""Calls of several requests have one budget for them all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_bridge import Airflow, NotFinished, NotFound, PasswordAuth, connect
from airflow_bridge.http import Http
from tests.fake_airflow import FakeAirflow

JUNE = {"from_date": datetime(2026, 6, 1, tzinfo=UTC), "to_date": datetime(2026, 6, 3, tzinfo=UTC)}
EVERYWHERE: dict[str, Callable[[Airflow], object]] = {
    "role": lambda airflow: airflow.role("Viewer"),
    "find_user": lambda airflow: airflow.find_user(username="nobody", email="alice@example.com"),
    "delete_user": lambda airflow: airflow.delete_user("alice"),
    "recent_runs": lambda airflow: airflow.recent_runs("sales_report"),
    "wait": lambda airflow: airflow.wait("sales_report", "waiting", timeout=0),
    "task_instances": lambda airflow: airflow.task_instances("sales_report", "none"),
}
ON_3: dict[str, Callable[[Airflow], object]] = {
    "backfill": lambda airflow: airflow.backfill(1),
    "preview_backfill": lambda airflow: airflow.preview_backfill("nightly_load", **JUNE),
    "human_task": lambda airflow: airflow.human_task("sales_report", "none", "collect"),
}
CASES = [
    *(pytest.param("3.3.2", call, id=f"3-{name}") for name, call in (EVERYWHERE | ON_3).items()),
    *(pytest.param("2.11.2", call, id=f"2-{name}") for name, call in EVERYWHERE.items()),
]


@pytest.mark.parametrize(("release", "call"), CASES)
def test_all_requests_of_a_call_end_at_the_same_time(
    release: str, call: Callable[[Airflow], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[float | None] = []
    ask = Http.call

    def noted(self: Http, *args: Any, **kwargs: Any) -> Any:
        ends.append(getattr(self.budget._thread, "deadline", None))
        return ask(self, *args, **kwargs)

    monkeypatch.setattr(Http, "call", noted)
    with FakeAirflow(release=release) as fake:
        fake.add_user("alice", email="alice@example.com")
        api = "v1" if release.startswith("2.") else "v2"
        airflow = connect(name="prod", url=fake.url, api=api, auth=PasswordAuth(*fake.admin))
        airflow.trigger("sales_report", dag_run_id="waiting")
        ends.clear()
        with contextlib.suppress(NotFound, NotFinished):
            call(airflow)
        airflow.close()
    assert len(ends) == 1 or (None not in ends and len(set(ends)) == 1)
