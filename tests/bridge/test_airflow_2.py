"""What Airflow 2 leaves to whoever asks: where a log goes on, and whether a password was right."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from airflow_bridge import Airflow, BasicAuth, Forbidden, Unauthorised, connect
from portal.demo.airflow.accounts import RUNNER_OF_AIRFLOW_2
from tests.bridge.loopback import Asked, Reply, loopback
from tests.fake_airflow import FakeAirflow

Make = Callable[[str, str], Airflow]

TASK = {
    "task_id": "work",
    "state": "running",
    "map_index": -1,
    "try_number": 1,
    "start_date": None,
    "end_date": None,
    "duration": None,
}


class Log:
    """A task and what it has written so far."""

    def __init__(self) -> None:
        self.state, self.text = "running", ""

    def __call__(self, asked: Asked) -> Reply:
        return Reply(self.text if "/logs/" in asked.path else TASK | {"state": self.state})


# --- logs ------------------------------------------------------------------------------------------------------------
def test_a_line_that_is_half_written_is_given_when_it_is_whole() -> None:
    log = Log()
    with loopback(log) as server:
        airflow = connect(name="old", url=server.url, api="v1", auth=BasicAuth("alice", "secret"))
        found: list[str] = []
        after: str | None = None
        for state, text in (
            ("running", "line one\nline tw"),
            ("running", "line one\nline two: the error\nline three\n"),
            ("failed", "line one\nline two: the error\nline three\nthe end"),
        ):
            log.state, log.text = state, text
            part = airflow.log("one", "run", "work", after=after)
            found += [line.text for line in part.lines]
            after = part.next
        airflow.close()
    assert found == ["line one", "line two: the error", "line three", "the end"]
    assert after is None


@pytest.mark.parametrize("after", ["²", "-1", "x", "", "9" * 5_000])
def test_a_place_in_a_log_that_is_none(after: str) -> None:
    log = Log()
    log.text = "line one\n"
    with loopback(log) as server:
        airflow = connect(name="old", url=server.url, api="v1", auth=BasicAuth("alice", "secret"))
        assert [line.text for line in airflow.log("one", "run", "work", after=after).lines] == ["line one"]
        airflow.close()


# --- an Airflow that shows its DAGs to everybody (AUTH_ROLE_PUBLIC) --------------------------------------------------
@pytest.fixture
def fake() -> FakeAirflow:
    return FakeAirflow(release="2.11.2")


@pytest.fixture
def make(fake: FakeAirflow) -> Iterator[Make]:
    made: list[Airflow] = []

    def make(username: str, password: str) -> Airflow:
        made.append(connect(name="old", url=fake.url, api="v1", auth=BasicAuth(username, password)))
        return made[-1]

    with fake:
        fake.state.public_role = "Viewer"
        yield make
    for airflow in made:
        airflow.close()


def test_a_wrong_password_is_not_taken_for_a_right_one(fake: FakeAirflow, make: Make) -> None:
    stranger = make(fake.admin[0], "wrong")
    with pytest.raises(Unauthorised, match="the account admin"):
        stranger.check()
    with pytest.raises(Unauthorised):
        stranger.user("admin")


def test_right_passwords_are_known(fake: FakeAirflow, make: Make) -> None:
    make(*fake.admin).check()
    make(*fake.admin).create_role("Runner", RUNNER_OF_AIRFLOW_2)
    fake.add_user("runner", password="runs", roles=["Runner"])
    runner = make("runner", "runs")
    runner.check()
    runner.check()
    with pytest.raises(Forbidden):
        runner.user("admin")


def test_who_sees_what_everybody_sees_may_be_anybody(fake: FakeAirflow, make: Make) -> None:
    fake.add_user("viewer", password="views", roles=["Viewer"])
    with pytest.raises(Unauthorised, match=r"shows its DAGs to everybody|everything we ask"):
        make("viewer", "views").check()
