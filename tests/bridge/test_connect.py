"""What `connect` refuses before anything is sent, and what must never show."""

from __future__ import annotations

import pytest

from airflow_bridge import BasicAuth, PasswordAuth, Rejected, TokenAuth, Unsupported, connect

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
