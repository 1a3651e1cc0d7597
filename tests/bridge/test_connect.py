"""What `connect` refuses before anything is sent, and what must never show."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request

import pytest

from airflow_bridge import BasicAuth, PasswordAuth, Rejected, TokenAuth, Unsupported, connect, find_api
from tests.bridge.loopback import Asked, Reply, loopback
from tests.fake_airflow import FakeAirflow

AUTH = PasswordAuth("gatehouse", "the-password")


@pytest.mark.parametrize(
    "url",
    [
        "http://airflow.example.com",
        "http://10.0.0.7:8080",
        "http://127.0.0.1.example.com",
        "ftp://airflow.example.com",
        "airflow.example.com",
        "https://",
        "https://user:pass-in-url@airflow.example.com",
        "https://airflow.example.com/?x=1",
        "https://airflow..example.com",
        f"https://{'x' * 64}.example.com",
        " https://airflow.example.com",
        "https://airflow.example.com ",
        "https://airflow.example.com/\n",
        "https://airflow.\texample.com",
        "",
    ],
)
def test_an_address_over_which_no_password_may_go(url: str) -> None:
    with pytest.raises(Rejected) as caught:
        connect(name="prod", url=url, api="v2", auth=AUTH)
    assert caught.value.field == "url"
    assert "pass-in-url" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://airflow.example.com/team", "http://localhost:8080", "http://[::1]:80"])
def test_an_address_that_is_fine(url: str) -> None:
    connect(name="prod", url=url, api="v2", auth=AUTH).close()


def test_plain_http_where_it_is_wanted() -> None:
    connect(name="prod", url="http://airflow.internal", api="v2", auth=AUTH, allow_plain_http=True).close()


@pytest.mark.parametrize("api", ["v3", "2", ""])
def test_another_api(api: str) -> None:
    with pytest.raises(Unsupported, match=r"prod.*v1 for Airflow 2 or v2"):
        connect(name="prod", url="https://airflow.example.com", api=api, auth=AUTH)


@pytest.mark.parametrize("token", ["", "two words", "new\nline", "schlüssel"])
def test_a_token_that_is_none(token: str) -> None:
    with pytest.raises(Rejected) as caught:
        TokenAuth(token)
    assert token == "" or token not in str(caught.value)


def test_a_user_name_that_basic_would_cut_in_two() -> None:
    with pytest.raises(Rejected) as caught:
        connect(name="prod", url="https://airflow.example.com", api="v1", auth=PasswordAuth("gate:house", "x"))
    assert caught.value.field == "username"


@pytest.mark.parametrize("field", ["username", "password"])
def test_half_a_character_in_a_name_or_password(field: str) -> None:
    with pytest.raises(Rejected) as caught:
        BasicAuth(**{"username": "gatehouse", "password": "x", field: "half-\ud83d"})
    assert caught.value.field == field
    assert "half" not in str(caught.value)


@pytest.mark.parametrize("number", [0, -1])
def test_fewer_calls_at_once_than_one(number: int) -> None:
    with pytest.raises(Rejected) as caught:
        connect(name="prod", url="https://airflow.example.com", api="v2", auth=AUTH, max_concurrent=number)
    assert caught.value.field == "max_concurrent"


def test_airflow_3_takes_no_password_with_a_call() -> None:
    with pytest.raises(Rejected, match="PasswordAuth"):
        connect(name="prod", url="https://airflow.example.com", api="v2", auth=BasicAuth("gatehouse", "the-password"))


def test_certificate_authorities_that_are_not_there() -> None:
    with pytest.raises(Rejected) as caught:
        connect(name="prod", url="https://airflow.example.com", api="v2", auth=AUTH, ca_bundle="/no/such.pem")
    assert caught.value.field == "ca_bundle"


def test_credentials_do_not_show() -> None:
    assert "the-password" not in repr(AUTH)
    assert "the-token" not in repr(TokenAuth("the-token"))


@pytest.mark.parametrize("release", ["3.3.2", "2.11.2"])
def test_what_stands_before_an_airflow_may_want_to_know_who_asks_for_anything(release: str) -> None:
    """As an identity-aware proxy or a gateway does, also for what Airflow itself tells everybody."""
    with FakeAirflow(release=release) as fake:
        token = base64.b64encode(":".join(fake.admin).encode()).decode()

        def answer(asked: Asked) -> Reply:
            if asked.headers.get("authorization") != "Bearer of-the-gateway":
                return Reply({}, 302 if "health" in asked.path else 401, {"Location": "https://sign-in.example.com"})
            inner = {"Authorization": f"Basic {token}"} if release.startswith("2") else signed_in(fake)
            request = urllib.request.Request(f"{fake.url}{asked.path}", headers=inner)
            try:
                with urllib.request.urlopen(request, timeout=10) as found:
                    return Reply(found.read().decode(), 200, {"Content-Type": found.headers["Content-Type"]})
            except urllib.error.HTTPError as refusal:
                with refusal:
                    return Reply({}, refusal.code)

        with loopback(answer) as gateway:
            auth = TokenAuth("of-the-gateway")
            assert find_api(name="prod", url=gateway.url, auth=auth) == fake.release.api
            airflow = connect(name="prod", url=gateway.url, api=fake.release.api, auth=auth)
            assert airflow.version() == release
            assert airflow.capabilities().version == release
            assert airflow.health()["scheduler"].status == "healthy"
            airflow.close()


def test_what_gives_a_password_with_every_call_is_for_airflow_2() -> None:
    with FakeAirflow(release="2.11.2") as fake:
        assert find_api(name="prod", url=fake.url, auth=BasicAuth(*fake.admin)) == "v1"
    with FakeAirflow() as fake, pytest.raises(Unsupported, match="is no Airflow 2 or 3"):
        find_api(name="prod", url=fake.url, auth=BasicAuth(*fake.admin))


def signed_in(fake: FakeAirflow) -> dict[str, str]:
    body = json.dumps(dict(zip(("username", "password"), fake.admin, strict=True))).encode()
    request = urllib.request.Request(f"{fake.url}/auth/token", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as found:
        return {"Authorization": f"Bearer {json.load(found)['access_token']}"}
