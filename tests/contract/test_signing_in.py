"""Who is let in, and what the refused are told."""

from __future__ import annotations

import base64
import json

import pytest

from airflow_bridge import Airflow, Forbidden, PasswordAuth, TokenAuth, Unauthorised, connect
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


def test_the_version(airflow: Airflow) -> None:
    assert airflow.version() == "3.3.2"


def test_everyone_with_work_to_do_is_let_in(airflow: Airflow, granter: Airflow, runner: Airflow) -> None:
    for account in (airflow, granter, runner):
        account.check()


def test_a_wrong_password(server, client) -> None:
    with pytest.raises(Unauthorised) as caught:
        client(server.admin[0], "not-the-password").check()
    assert "demo" in str(caught.value)
    assert server.admin[0] in str(caught.value)
    assert "not-the-password" not in str(caught.value)


@pytest.mark.parametrize(("username", "password"), [("nobody_here", "x"), ("", "x"), ("admin", "")])
def test_nobody(client, username: str, password: str) -> None:
    with pytest.raises(Unauthorised):
        client(username, password).check()


def test_an_account_without_any_permission(airflow: Airflow, client) -> None:
    name = unique("nothing")
    role = airflow.create_role(unique("role"), []).name
    airflow.create_user(
        username=name, email=f"{name}@example.com", first_name="A", last_name="B", password="nothing", roles=[role]
    )
    with pytest.raises(Forbidden, match=name):
        client(name, "nothing").check()


def test_a_token_of_another_maker(server) -> None:
    claims = [{"alg": "HS512", "typ": "JWT"}, {"sub": "1", "aud": "apache-airflow", "exp": 4_000_000_000, "iat": 1}]
    parts = [base64.urlsafe_b64encode(json.dumps(claim).encode()).decode().rstrip("=") for claim in claims]
    token = ".".join([*parts, "c2lnbmF0dXJl"])
    stranger = connect(name="demo", url=server.url, api="v2", auth=TokenAuth(token))
    with pytest.raises(Unauthorised) as caught:
        stranger.check()
    assert token not in str(caught.value)
    stranger.close()


def test_the_same_password_serves_another_spelling_of_the_name(server) -> None:
    """Airflow's own oddity; error messages must not take it for another account."""
    loud = connect(name="demo", url=server.url, api="v2", auth=PasswordAuth(server.admin[0].upper(), server.admin[1]))
    loud.check()
    loud.close()
