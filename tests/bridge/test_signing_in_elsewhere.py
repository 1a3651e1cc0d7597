"""OAuth 2 client credentials: an authorization server on loopback gives out the tokens that the fake takes."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus

import pytest

from airflow_bridge import Airflow, OAuth2Auth, RateLimited, Rejected, Unauthorised, Unexpected, Unreachable
from tests.bridge.loopback import Asked, Loopback, Reply, log_everything, loopback
from tests.fake_airflow import FakeAirflow

ID, SECRET = "gate:house", "p+w% ö/&="


@pytest.fixture
def issuer(fake: FakeAirflow) -> Iterator[Loopback]:
    def give(asked: Asked) -> Reply:
        return Reply({"access_token": fake.state.make_token(fake.state.users["admin"]), "expires_in": 300})

    with loopback(give) as server:
        yield server


@pytest.fixture
def enter(make: Callable[..., Airflow], issuer: Loopback) -> Callable[..., Airflow]:
    def enter(**changes: object) -> Airflow:
        given = {"token_url": f"{issuer.url}/token", "client_id": ID, "client_secret": SECRET, **changes}
        return make(auth=OAuth2Auth(**given))

    return enter


def basic(asked: Asked) -> list[str]:
    """The id and secret that came, as a server reads them (RFC 6749, section 2.3.1)."""
    kind, _, pair = asked.headers["authorization"].partition(" ")
    assert kind == "Basic"
    return [unquote_plus(half) for half in base64.b64decode(pair).decode().split(":")]


def test_a_client_gets_a_token_and_uses_it(enter: Callable[..., Airflow], issuer: Loopback, fake: FakeAirflow) -> None:
    airflow = enter(scope="airflow.read airflow.write", audience="https://airflow.example.com")
    airflow.check()
    airflow.user("alice")
    (asked,) = issuer.asked
    assert (asked.method, asked.path) == ("POST", "/token")
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert basic(asked) == [ID, SECRET]
    assert asked.form == {
        "grant_type": "client_credentials",
        "scope": "airflow.read airflow.write",
        "audience": "https://airflow.example.com",
    }
    assert fake.calls("POST /auth/token") == []


def test_what_is_not_wanted_is_not_asked_for(enter: Callable[..., Airflow], issuer: Loopback) -> None:
    enter().check()
    assert issuer.asked[0].form == {"grant_type": "client_credentials"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (
            Reply({"error": "invalid_client", "error_description": "no such\nclient"}, 401),
            r"invalid_client \(no such cl",
        ),
        (Reply({"error": "invalid_scope"}, 400), "invalid_scope"),
        (Reply({"error": "unauthorized_client", "error_description": f"{SECRET} is old"}, 403), r"\*\*\* is old"),
        (Reply("<html>no</html>", 400), "answered 400"),
        (Reply(["odd"], 404), "answered 404"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_the_server(
    enter: Callable[..., Airflow], issuer: Loopback, told: Reply, words: str
) -> None:
    issuer.answer = lambda asked: told
    with pytest.raises(Unauthorised, match=words) as caught:
        enter().check()
    assert "gate:house" in str(caught.value)
    assert SECRET not in str(caught.value)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("told", [Reply({"token": "?"}), Reply("<html>log in</html>"), Reply([])])
def test_an_answer_that_is_no_token(enter: Callable[..., Airflow], issuer: Loopback, told: Reply) -> None:
    issuer.answer = lambda asked: told
    with pytest.raises(Unexpected):
        enter().check()


def test_a_server_that_wants_fewer_questions(
    enter: Callable[..., Airflow], make: Callable[..., Airflow], issuer: Loopback
) -> None:
    """Which is no reason for the accounts that have nothing to do with it to wait."""
    issuer.answer = lambda asked: Reply({}, 429, {"Retry-After": "3600", "RateLimit": '"default";r=0;t=3600'})
    airflow = enter()
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            airflow.user("alice")
        assert caught.value.retry_after == pytest.approx(3600, abs=60)
    assert airflow.rate_limit is None
    assert airflow.version() == "3.3.2"
    assert make().user("alice") is not None


def test_a_server_that_is_down(enter: Callable[..., Airflow], issuer: Loopback, fake: FakeAirflow) -> None:
    airflow = enter()
    issuer.answer = lambda asked: Reply("<html>", 503)
    with pytest.raises(Unreachable):
        airflow.set_roles("alice", ["Op"])
    with pytest.raises(Unreachable):
        enter(token_url="http://127.0.0.1:1/token").set_roles("alice", ["Op"])
    assert fake.calls("PATCH .*") == []


def test_a_server_that_is_down_for_a_moment(enter: Callable[..., Airflow], issuer: Loopback) -> None:
    good, answers = issuer.answer, [Reply("", 503), Reply("", 502)]
    issuer.answer = lambda asked: answers.pop() if answers else good(asked)
    enter().check()
    assert len(issuer.asked) == 3


def test_a_token_is_used_for_as_long_as_it_says(enter: Callable[..., Airflow], issuer: Loopback) -> None:
    good = issuer.answer
    lives: list[object] = [0.0000001, "0.0000001", 3600]
    issuer.answer = lambda asked: Reply({**good(asked).body, "expires_in": lives[len(issuer.asked) - 1]})
    airflow = enter()
    for _ in range(5):
        airflow.user("alice")
    assert len(issuer.asked) == 3


@pytest.mark.parametrize("lasts", [None, "soon", -5, 0, "inf", "nan"])
def test_a_token_that_does_not_say_how_long_it_lasts(
    enter: Callable[..., Airflow], issuer: Loopback, lasts: object
) -> None:
    good = issuer.answer
    issuer.answer = lambda asked: Reply({**good(asked).body, "expires_in": lasts})
    airflow = enter()
    airflow.user("alice")
    airflow.user("alice")
    assert len(issuer.asked) == 1


def test_a_refused_token_is_renewed_once_for_many_threads(
    enter: Callable[..., Airflow], issuer: Loopback, fake: FakeAirflow
) -> None:
    airflow, start = enter(), threading.Barrier(8)
    airflow.user("alice")
    fake.invalidate_tokens()

    def look(_: int) -> object:
        start.wait()
        return airflow.user("alice")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(look, range(8)))
    assert len(issuer.asked) == 2


def test_the_secret_does_not_go_over_plain_http(enter: Callable[..., Airflow], fake: FakeAirflow) -> None:
    with pytest.raises(Rejected, match="https") as caught:
        enter(token_url="http://login.example.com/token").check()
    assert caught.value.field == "token_url"
    assert fake.calls("GET .*/(users|dags)") == []


def test_nothing_of_it_is_logged(
    enter: Callable[..., Airflow], issuer: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    log_everything(caplog)
    airflow = enter()
    airflow.check()
    token = airflow._http._sessions[airflow._http.auth]._signed.headers["Authorization"].split()[1]
    pair = issuer.asked[0].headers["authorization"].split()[1]
    assert {"httpcore.connection", "httpcore.http11"} <= {record.name for record in caplog.records}
    for secret in (SECRET, token, pair):
        assert secret not in caplog.text
    signed = airflow._http._sessions[airflow._http.auth]._signed
    assert token not in repr(signed)
    assert SECRET not in repr(airflow._http.auth)
