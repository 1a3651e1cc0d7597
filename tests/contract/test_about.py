"""The Airflow itself: its version, its parts, what it can do, and whether we are let in."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from airflow_bridge import Airflow, Component, Unsupported, connect, find_api
from airflow_bridge.auth import BasicAuth, PasswordAuth
from tests.contract.conftest import now
from tests.contract.raw import Raw
from tests.contract.servers import Server, wait_until
from tests.fake_airflow import FakeAirflow

pytestmark = [pytest.mark.contract, pytest.mark.everywhere]

MISSING = {
    "3.3.2": set(),
    "2.11.2": {"backfills", "human_tasks"},
    "3.1.6": {"role_edits"},
    "3.0.6": {"human_tasks"},
    "3.3.2-simple": {"users", "roles", "role_edits", "dag_permissions"},
}
CREDENTIALS = {
    "3.3.2": {"users": "token", "roles": "token", "permissions": "token"},
    "2.11.2": dict.fromkeys(("users", "roles", "permissions"), "password"),
    "3.1.6": {"users": "password", "roles": "token", "permissions": "password"},
    "3.0.6": {"users": "password", "roles": "password", "permissions": "password"},
    "3.3.2-simple": {},
}


@pytest.mark.once
def test_the_version(airflow: Airflow, server: Server) -> None:
    assert airflow.version() == server.target.release.removesuffix("-simple")


@pytest.mark.once
def test_what_it_speaks_is_found(server: Server) -> None:
    assert find_api(name="demo", url=server.url, timeout=30) == server.target.api


@pytest.mark.once
def test_what_it_can_do_is_found_without_signing_in(server: Server) -> None:
    stranger = connect(name="demo", url=server.url, api=server.target.api, auth=PasswordAuth("nobody", "x"), timeout=30)
    found = stranger.capabilities()
    stranger.close()
    release = server.target.release
    assert (found.version, found.api) == (release.removesuffix("-simple"), server.target.api)
    assert found.auth_manager == ("simple" if release.endswith("simple") else "FAB")
    assert set(found.missing) == MISSING[release]
    assert all(found.missing.values())  # in words
    assert found.credentials == CREDENTIALS[release]
    assert not any(found.can(what) for what in MISSING[release])
    assert found.can("runs")


@pytest.mark.once
def test_its_health_is_public(server: Server) -> None:
    stranger = connect(name="demo", url=server.url, api=server.target.api, auth=PasswordAuth("nobody", "x"), timeout=30)
    expected = {"metadatabase", "scheduler"} | ({"dag_processor"} if server.target.api == "v2" else set())

    def well() -> Mapping[str, Component] | None:
        """On a busy machine a part of a real one is late now and then."""
        found = stranger.health()
        return found if {name for name, part in found.items() if part.status == "healthy"} >= expected else None

    parts = wait_until(well, f"{expected} are healthy")
    stranger.close()
    assert parts["metadatabase"].heartbeat is None
    beat = parts["scheduler"].heartbeat
    assert beat is not None
    assert timedelta(0) == beat.utcoffset()
    assert abs(now() - beat) < timedelta(hours=1)


def test_parts_that_are_not_well(airflow: Airflow, fake: FakeAirflow) -> None:
    fake.state.health |= {"scheduler": "unhealthy", "triggerer": None}
    parts = airflow.health()
    assert (parts["scheduler"].status, parts["triggerer"].status) == ("unhealthy", "")


def test_everyone_with_work_to_do_is_let_in(airflow: Airflow, granter: Airflow, runner: Airflow) -> None:
    for account in (airflow, granter, runner):
        account.check()


@pytest.mark.once
@pytest.mark.needs("tokens")
def test_what_was_found_is_kept_for_a_while(airflow: Airflow, fake: FakeAirflow) -> None:
    airflow.capabilities()
    fake.requests.clear()
    airflow.capabilities()
    assert fake.requests == []
    airflow.capabilities(fresh=True)
    assert fake.calls("GET /auth/openapi.json")


@pytest.mark.once
@pytest.mark.needs("tokens")
def test_a_password_with_every_call_is_not_for_airflow_3(server: Server) -> None:
    with pytest.raises(Exception, match="takes no password with a call"):
        connect(name="demo", url=server.url, api="v2", auth=BasicAuth(*server.admin))


@pytest.mark.once
def test_the_other_api_is_no_airflow(server: Server) -> None:
    other = "v1" if server.target.api == "v2" else "v2"
    lost = connect(name="demo", url=server.url, api=other, auth=PasswordAuth(*server.admin), timeout=30)
    with pytest.raises(Unsupported):
        lost.version()
    with pytest.raises(Unsupported):
        lost.check()
    lost.close()


@pytest.mark.once
@pytest.mark.needs("tokens")
def test_an_airflow_without_users_answers_200_to_a_question_for_them(server: Server) -> None:
    """With a web page, which is why what it can do is not found by status codes."""
    answer = Raw(server, *server.admin).anonymous("/auth/fab/v1/users")
    if server.target.can("users"):
        assert answer.status == 401
    else:
        assert (answer.status, answer.kind.partition(";")[0]) == (200, "text/html")
