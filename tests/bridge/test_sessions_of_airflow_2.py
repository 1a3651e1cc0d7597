"""Airflow 2 says 403 to whom it does not know: what was signed in once may have run out before its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from airflow_bridge import Airflow, Forbidden, OAuth2Auth, Rejected, TokenAuth, Unauthorised, connect
from airflow_bridge.auth import Credentials, Signed
from airflow_bridge.auth.credentials import Ask
from tests.bridge.loopback import Asked, Loopback, Reply, loopback

DAG = {"dag_id": "sales_report", "is_paused": True, "description": None, "tags": [], "owners": [], "params": {}}
KEYS = ("schedule_interval", "timetable_description", "next_dagrun_create_after", "last_parsed_time", "is_active")
REFUSED = Reply({"title": "Forbidden", "detail": None}, 403, {"Content-Type": "application/problem+json"})


@dataclass(frozen=True)
class Sessions:
    """Every signing in gives the next session."""

    made: list[str]
    account = "the account x"

    def __hash__(self) -> int:
        return id(self.made)

    def sign_in(self, ask: Ask) -> Signed:
        self.made.append(f"session={len(self.made) + 1}")
        return Signed({"Cookie": self.made[-1]}, 3600)


class Old:
    """Knows the sessions in `good` alone."""

    def __init__(self) -> None:
        self.good = {"session=1"}

    def __call__(self, asked: Asked) -> Reply:
        if asked.headers.get("cookie") not in self.good:
            return REFUSED
        if asked.path.startswith("/api/v1/dags/sales_report"):
            return Reply({**DAG, **dict.fromkeys(KEYS), "has_import_errors": False})
        return Reply({"users": [], "dags": [], "total_entries": 0})


@pytest.fixture
def old() -> Old:
    return Old()


@pytest.fixture
def server(old: Old) -> Iterator[Loopback]:
    with loopback(old) as server:
        yield server


@pytest.fixture
def make(server: Loopback) -> Iterator[Callable[..., Airflow]]:
    made: list[Airflow] = []

    def make(auth: Credentials, timeout: float = 5.0) -> Airflow:
        made.append(connect(name="prod", url=server.url, api="v1", auth=auth, timeout=timeout))
        return made[-1]

    yield make
    for airflow in made:
        airflow.close()


def test_a_session_that_is_not_known_any_more_is_renewed_once(
    old: Old, server: Loopback, make: Callable[..., Airflow]
) -> None:
    sessions = Sessions([])
    airflow = make(sessions)
    assert airflow.dag("sales_report") is not None
    old.good = {"session=2"}
    assert airflow.dag("sales_report") is not None
    old.good = {"session=3"}
    assert list(airflow.dags()) == []
    assert len(sessions.made) == 3

    old.good = set()
    server.asked.clear()
    with pytest.raises(Unauthorised, match="403"):
        airflow.dag("sales_report")
    assert len(sessions.made) == 4
    assert len(server.to(".*/sales_report.*")) == 2


def test_a_token_from_elsewhere_cannot_be_renewed(server: Loopback, make: Callable[..., Airflow]) -> None:
    with pytest.raises(Unauthorised):
        make(TokenAuth("the-token")).dag("sales_report")
    assert len(server.to(".*/sales_report.*")) == 1


def test_what_is_known_and_not_permitted_is_not_renewed(server: Loopback, make: Callable[..., Airflow]) -> None:
    def weak(asked: Asked) -> Reply:
        return REFUSED if "sales_report" in asked.path else Reply({"users": [], "total_entries": 0})

    server.answer = weak
    sessions = Sessions([])
    with pytest.raises(Forbidden):
        make(sessions).dag("sales_report")
    assert len(sessions.made) == 1


def test_asking_whether_we_are_known_takes_the_time_of_the_call(
    make: Callable[..., Airflow], monkeypatch: pytest.MonkeyPatch
) -> None:
    http = make(TokenAuth("not-known"))._http
    ends: list[float] = []
    find = http.budget.deadline
    monkeypatch.setattr(http.budget, "deadline", lambda: ends.append(find()) or ends[-1])
    with pytest.raises(Unauthorised):
        http.call("GET", "/api/v1/dags/sales_report", what="for it", parse=lambda body: None)
    assert len(ends) > 1, "it was looked into"
    assert len(set(ends)) == 1


def test_an_id_that_cannot_be_sent(server: Loopback, make: Callable[..., Airflow]) -> None:
    airflow = make(OAuth2Auth(token_url=f"{server.url}/token", client_id="half-\ud83d", client_secret="x"))
    with pytest.raises(Rejected, match="credentials have characters"):
        airflow.dag("sales_report")
    assert server.asked == []
