"""Who is let in, and what the refused are told."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest

from airflow_bridge import Airflow, Forbidden, TokenAuth, Unauthorised, Unsupported, connect
from tests.contract.servers import Server
from tests.real_airflow import unique

pytestmark = pytest.mark.contract


@pytest.mark.everywhere
def test_a_wrong_password(server: Server, client: Callable[..., Airflow]) -> None:
    with pytest.raises(Unauthorised) as caught:
        client(server.admin[0], "not-the-password").check()
    assert "demo" in str(caught.value)
    assert server.admin[0] in str(caught.value)
    assert "not-the-password" not in str(caught.value)


@pytest.mark.parametrize(("username", "password"), [("nobody_here", "x"), ("", "x"), ("admin", "")])
@pytest.mark.once
def test_nobody(client: Callable[..., Airflow], username: str, password: str) -> None:
    with pytest.raises(Unauthorised):
        client(username, password).check()


@pytest.mark.everywhere
@pytest.mark.once
@pytest.mark.needs("roles")
def test_an_account_without_any_permission(airflow: Airflow, server: Server, client: Callable[..., Airflow]) -> None:
    """To Airflow 2 it is as one with a wrong password."""
    name = unique("nothing")
    role = airflow.create_role(unique("role"), []).name
    airflow.create_user(
        username=name, email=f"{name}@example.com", first_name="A", last_name="B", password="nothing", roles=[role]
    )
    with pytest.raises(Forbidden if server.target.api == "v2" else Unauthorised, match=name):
        client(name, "nothing").check()


@pytest.mark.everywhere
@pytest.mark.once
@pytest.mark.needs("tokens")
def test_a_token_of_another_maker(server: Server) -> None:
    claims = [{"alg": "HS512", "typ": "JWT"}, {"sub": "1", "aud": "apache-airflow", "exp": 4_000_000_000, "iat": 1}]
    parts = [base64.urlsafe_b64encode(json.dumps(claim).encode()).decode().rstrip("=") for claim in claims]
    token = ".".join([*parts, "c2lnbmF0dXJl"])
    stranger = connect(name="demo", url=server.url, api="v2", auth=TokenAuth(token))
    refusals = Unauthorised if server.target.release != "3.0.6" else (Unauthorised, Unsupported)
    with pytest.raises(refusals) as caught:
        stranger.check()
    assert token not in str(caught.value)
    stranger.close()


@pytest.mark.once
@pytest.mark.needs("users")
def test_the_same_password_serves_another_spelling_of_the_name(server: Server, client: Callable[..., Airflow]) -> None:
    """Airflow's own oddity; error messages must not take it for another account."""
    client(server.admin[0].upper(), server.admin[1]).check()
