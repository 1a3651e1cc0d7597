"""The clients of a deployment: made as the catalogue describes them, and made anew when anything of that changes."""

from __future__ import annotations

import pytest

from airflow_bridge import GoogleAuth, MwaaAuth, OAuth2Auth, PasswordAuth, TokenAuth
from portal.airflow import clients
from portal.catalogue import secrets
from portal.catalogue.models import Deployment

pytestmark = pytest.mark.any_database


@pytest.fixture(autouse=True)
def _secret(monkeypatch):
    monkeypatch.setenv("A_SECRET", "the-secret")


SECRET = {"env": "A_SECRET"}


@pytest.mark.parametrize(
    ("account", "made"),
    [
        ({"kind": "password", "username": "a", "password": SECRET}, PasswordAuth("a", "the-secret")),
        ({"username": "a", "password": SECRET}, PasswordAuth("a", "the-secret")),
        ({"kind": "token", "username": "a", "token": SECRET}, TokenAuth("the-secret")),
        (
            {
                "kind": "oauth2",
                "token_url": "https://sso/token",
                "client_id": "c",
                "client_secret": SECRET,
                "scope": "s",
            },
            OAuth2Auth("https://sso/token", "c", "the-secret", scope="s"),
        ),
        ({"kind": "google", "audience": "x"}, GoogleAuth("x")),
        ({"kind": "mwaa", "environment": "prod", "region": "eu-west-1"}, MwaaAuth("prod", "eu-west-1")),
    ],
)
def test_every_way_to_sign_in(account, made):
    assert clients.credentials(account) == made


def test_a_secret_that_is_not_there_is_named():
    with pytest.raises(secrets.SecretMissing, match="NOT_SET"):
        clients.credentials({"kind": "token", "token": {"env": "NOT_SET"}})


def test_a_client_is_kept_until_something_of_it_changes(airflow, monkeypatch):
    deployment = Deployment.objects.get()
    first = clients.client(deployment, "granter")
    assert clients.client(deployment, "granter") is first
    deployment.options = {**deployment.options, "max_concurrent": 3}
    second = clients.client(deployment, "granter")
    assert second is not first
    monkeypatch.setenv("AIRFLOW_DEMO_ACCESS", "a new one")
    assert clients.client(deployment, "granter") is not second
