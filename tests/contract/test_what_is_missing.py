"""What an Airflow cannot do is refused before it is asked, with the reason in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from airflow_bridge import Airflow, TokenAuth, Unsupported, connect
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.everywhere, pytest.mark.once]

DAY = {"from_date": datetime(2026, 1, 1, tzinfo=UTC), "to_date": datetime(2026, 1, 2, tzinfo=UTC)}
PERSON = {"username": "x", "email": "x", "first_name": "x", "last_name": "x", "password": "x", "roles": ["Viewer"]}
Call = Callable[[Airflow], object]
CALLS: dict[str, tuple[Call, ...]] = {
    "users": (
        lambda airflow: list(airflow.users()),
        lambda airflow: airflow.user("admin"),
        lambda airflow: airflow.find_user(username="admin", email="admin@example.com"),
        lambda airflow: airflow.create_user(**PERSON),
        lambda airflow: airflow.update_user("admin", last_name="x"),
        lambda airflow: airflow.set_roles("admin", ["Viewer"]),
        lambda airflow: airflow.delete_user("admin"),
    ),
    "roles": (
        lambda airflow: list(airflow.roles()),
        lambda airflow: airflow.role("Viewer"),
        lambda airflow: airflow.create_role("x", []),
        lambda airflow: airflow.permissions(),
        lambda airflow: airflow.ensure_dag_role("x", IDLE, []),
    ),
    "role_edits": (
        lambda airflow: airflow.update_role("Viewer", []),
        lambda airflow: airflow.delete_role("Viewer"),
    ),
    "backfills": (
        lambda airflow: list(airflow.backfills(IDLE)),
        lambda airflow: airflow.backfill(1),
        lambda airflow: airflow.preview_backfill(IDLE, **DAY),
        lambda airflow: airflow.start_backfill(IDLE, **DAY),
        lambda airflow: airflow.pause_backfill(1),
        lambda airflow: airflow.cancel_backfill(1),
    ),
    "human_tasks": (
        lambda airflow: list(airflow.human_tasks()),
        lambda airflow: airflow.human_task(IDLE, "x", "show"),
        lambda airflow: airflow.answer_human_task(IDLE, "x", "show", ["x"]),
    ),
}
WHY = {
    "users": "no API for users and roles",
    "roles": "no API for users and roles",
    "role_edits": "no API for users and roles|cannot be changed or deleted",
    "backfills": "Airflow 2 has no backfills in its API",
    "human_tasks": "Airflow 2 has no tasks that wait|since 3.1",
}


def missing(server: Server) -> Iterator[str]:
    yield from (what for what in CALLS if not server.target.can(what))


def test_what_is_missing_is_refused_in_words(airflow: Airflow, server: Server) -> None:
    for what in missing(server):
        for call in CALLS[what]:
            with pytest.raises(Unsupported, match=WHY[what]) as caught:
                call(airflow)
            assert "demo" in str(caught.value)


def test_it_is_refused_before_airflow_is_asked(airflow: Airflow, server: Server, fake: FakeAirflow) -> None:
    airflow.capabilities()
    fake.requests.clear()
    for what in missing(server):
        for call in CALLS[what]:
            with pytest.raises(Unsupported):
                call(airflow)
    # Airflow 2 is asked for its version, which needs no password
    assert {str(request) for request in fake.requests} <= {"GET /api/v1/version"}


def test_what_is_said_to_be_missing_is_what_is_refused(airflow: Airflow, server: Server) -> None:
    found = airflow.capabilities()
    assert {what for what in CALLS if not found.can(what)} == set(missing(server))


@pytest.mark.needs("broken_roles")
def test_roles_that_cannot_be_changed_even_by_an_administrator(airflow: Airflow, server: Server) -> None:
    """What Airflow 3.1 does itself, as long as its FAB provider is older than 3.2."""
    name = airflow.create_role(unique("kept"), [("can_read", "DAGs")]).name
    raw = Raw(server, *server.admin)
    assert raw.patch(f"/roles/{name}", {"name": name, "actions": []}).status == 403
    assert raw.ask("DELETE", f"/roles/{name}").status == 500
    assert airflow.role(name) is not None


@pytest.mark.needs("tokens")
def test_a_token_alone_does_not_reach_what_takes_a_password(server: Server) -> None:
    raw = Raw(server, *server.admin)
    airflow = connect(name="demo", url=server.url, api="v2", auth=TokenAuth(raw.token), timeout=30)
    credentials = airflow.capabilities().credentials
    try:
        for group, call in (("users", lambda: airflow.user("admin")), ("roles", lambda: airflow.role("Viewer"))):
            if credentials.get(group) == "password":
                with pytest.raises(Unsupported, match="take a password, and we have"):
                    call()
            elif group in credentials:
                assert call() is not None
        assert airflow.dag(IDLE) is not None
    finally:
        airflow.close()
