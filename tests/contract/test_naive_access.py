"""What happens to a client that takes Airflow's refusals at their word, and what the bridge does instead."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, Conflict, Forbidden, PasswordAuth, Rejected, TokenAuth, Unauthorised, connect
from tests.contract.conftest import now
from tests.contract.raw import Raw
from tests.contract.servers import IDLE, Server
from tests.fake_airflow import FakeAirflow
from tests.real_airflow import unique

pytestmark = [pytest.mark.contract, pytest.mark.once]


@pytest.mark.needs("tokens")
def test_a_token_that_is_no_longer_one_is_a_403(server: Server, fake: FakeAirflow) -> None:
    """As when Airflow was restarted with another key; only one whose time is over is a 401."""
    airflow = connect(name="demo", url=server.url, api="v2", auth=PasswordAuth(*server.admin), timeout=30)
    airflow.check()
    for end, status in ((fake.invalidate_tokens, 403), (fake.expire_tokens, 401)):
        raw = Raw(server, *server.admin)
        end()
        assert raw.get("/dags").status == status
        assert airflow.dag(IDLE) is not None
    airflow.close()


@pytest.mark.everywhere
@pytest.mark.needs("tokens")
def test_a_token_that_never_was_one_is_a_403(server: Server) -> None:
    raw = Raw(server, *server.admin)
    raw.token = "no.real.token"
    answer = raw.get("/dags")
    assert (answer.status, answer.json["detail"]) == (403, "Invalid JWT token")
    airflow = connect(name="demo", url=server.url, api="v2", auth=TokenAuth("no.real.token"), timeout=30)
    with pytest.raises(Unauthorised):
        airflow.check()
    airflow.close()


@pytest.mark.needs("every_date")
def test_airflow_2_says_the_same_of_a_wrong_password_and_a_lack_of_permission(
    server: Server, client: Callable[..., Airflow]
) -> None:
    wrong = Raw(server, server.runner[0], "not-the-password").get("/users")
    lacking = Raw(server, *server.runner).get("/users")
    assert (wrong.status, wrong.json["detail"]) == (lacking.status, lacking.json["detail"]) == (403, None)
    with pytest.raises(Unauthorised):
        client(server.runner[0], "not-the-password").user("admin")
    with pytest.raises(Forbidden):
        client(*server.runner).user("admin")


@pytest.mark.everywhere
def test_version_and_health_prove_nothing(server: Server) -> None:
    stranger = connect(
        name="demo", url=server.url, api=server.target.api, auth=PasswordAuth("nobody", "wrong"), timeout=30
    )
    assert stranger.version()
    assert stranger.health()
    with pytest.raises(Unauthorised):
        stranger.check()
    stranger.close()


@pytest.mark.everywhere
@pytest.mark.needs("old_people", "tokens")
def test_a_token_is_not_for_the_people_of_an_older_provider(granter: Airflow, server: Server, person: str) -> None:
    raw = Raw(server, *server.admin)
    refused = raw.send("GET", "/auth/fab/v1/users", None, {"Authorization": f"Bearer {raw.token}"})
    assert refused.status == 401
    assert granter.user(person) is not None


@pytest.mark.needs("tokens")
def test_one_log_in_serves_many_calls(server: Server, fake: FakeAirflow) -> None:
    """Each one costs Airflow a slow hash and a change of the user's row."""
    airflow = connect(name="demo", url=server.url, api="v2", auth=PasswordAuth(*server.runner), timeout=30)
    before = fake.log_ins
    for _ in range(20):
        airflow.dag(IDLE)
    airflow.close()
    assert fake.log_ins == before + 1


@pytest.mark.everywhere
@pytest.mark.needs("tokens")
def test_an_explanation_may_be_a_list_or_an_object(runner: Airflow, server: Server) -> None:
    raw, run_id, when = Raw(server, *server.runner), unique("g__"), now()
    body = {"dag_run_id": run_id, "logical_date": when.isoformat()}
    assert raw.post(f"/dags/{IDLE}/dagRuns", body).status == 200
    assert isinstance(raw.post(f"/dags/{IDLE}/dagRuns", body).json["detail"], dict)
    assert isinstance(raw.post(f"/dags/{IDLE}/dagRuns", {}).json["detail"], list)
    with pytest.raises(Conflict) as caught:
        runner.trigger(IDLE, dag_run_id=unique("g__"), logical_date=when)
    assert "{" not in str(caught.value)
    with pytest.raises(Rejected) as refused:
        runner.trigger(IDLE, dag_run_id=unique("g__"), conf=[])  # type: ignore[arg-type]
        runner.set_paused(IDLE, [])  # type: ignore[arg-type]
    assert "[" not in str(refused.value)


@pytest.mark.everywhere
def test_what_one_version_overlooks_the_other_refuses(server: Server) -> None:
    answer = Raw(server, *server.runner).get("/dags?limit=1&nonsense=1")
    assert answer.status == (400 if server.target.api == "v1" else 200)


def test_no_list_is_asked_for_with_a_limit_of_nothing(runner: Airflow, granter: Airflow, fake: FakeAirflow) -> None:
    """Nothing, fifty or a hundred rows would come."""
    runner.recent_runs(IDLE, 0)
    list(runner.dags())
    list(runner.runs())
    assert all(int(request.query.get("limit", "1")) > 0 for request in fake.requests)
