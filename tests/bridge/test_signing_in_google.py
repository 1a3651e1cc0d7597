"""Google by the real google-auth: a service account's key file whose token server is on loopback, and a stand-in for
the metadata server of Google's machines."""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.compute_engine import _metadata

from airflow_bridge import Airflow, GoogleAuth, Unauthorised, Unreachable, Unsupported
from tests.bridge.loopback import Asked, Loopback, Reply, log_everything, loopback
from tests.fake_airflow import FakeAirflow

AUDIENCE = "https://airflow.example.com"
KINDS = pytest.mark.parametrize("audience", ["", AUDIENCE], ids=["access token", "identity token"])


@pytest.fixture(scope="module")
def key() -> str:
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(*form).decode()


def jwt(claims: dict[str, object]) -> str:
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({}, claims)]
    return ".".join([*parts, "signature-of-google"])


def claims(asked: Asked) -> dict[str, object]:
    """What a service account says of itself, in the assertion that it has signed."""
    body = asked.form["assertion"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def tokens(asked: Asked) -> Reply:
    """As oauth2.googleapis.com/token answers."""
    said = claims(asked)
    if audience := said.get("target_audience"):
        now = int(time.time())
        return Reply({"id_token": jwt({"aud": audience, "iat": now, "exp": now + 3600})})
    return Reply({"access_token": "ya29.the-access-token", "expires_in": 3599, "token_type": "Bearer"})


@pytest.fixture
def google() -> Iterator[Loopback]:
    with loopback(tokens) as server:
        yield server


@pytest.fixture
def account(google: Loopback, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key file of a service account, in the environment."""
    told = {
        "type": "service_account",
        "project_id": "reports",
        "private_key_id": "1",
        "private_key": key,
        "client_email": "gatehouse@reports.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": f"{google.url}/token",
    }
    path = tmp_path / "key.json"
    path.write_text(json.dumps(told))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
    return path


@pytest.fixture
def composer(fake: FakeAirflow) -> Iterator[Loopback]:
    """An Airflow that lets anything in which looks like a token of Google's."""

    def answer(asked: Asked) -> Reply:
        if asked.headers.get("authorization", "").startswith("Bearer "):
            return Reply({"dags": [], "total_entries": 0})
        return Reply({"detail": "Not authenticated"}, 401)

    with loopback(answer) as server:
        yield server


@pytest.fixture
def enter(make: Callable[..., Airflow], composer: Loopback) -> Callable[..., Airflow]:
    def enter(audience: str = "", **changes: object) -> Airflow:
        return make(url=composer.url, auth=GoogleAuth(audience), **changes)

    return enter


@KINDS
def test_a_key_file_gets_a_token(
    enter: Callable[..., Airflow],
    account: Path,
    google: Loopback,
    composer: Loopback,
    key: str,
    caplog: pytest.LogCaptureFixture,
    audience: str,
) -> None:
    log_everything(caplog)
    airflow = enter(audience)
    assert list(airflow.dags()) == list(airflow.dags()) == []
    (asked,) = google.asked
    said = claims(asked)
    assert said["iss"] == "gatehouse@reports.iam.gserviceaccount.com"
    if audience:
        assert said["target_audience"] == AUDIENCE
    else:
        assert said["scope"] == "https://www.googleapis.com/auth/cloud-platform"
    token = composer.asked[0].headers["authorization"].removeprefix("Bearer ")
    assert token.endswith("signature-of-google") if audience else token == "ya29.the-access-token"
    secrets = (token, asked.form["assertion"], key.splitlines()[1])
    assert caplog.records
    assert not [record for record in caplog.records for secret in secrets if secret in record.getMessage()]


@KINDS
def test_a_token_that_is_nearly_over_is_renewed(
    enter: Callable[..., Airflow], account: Path, google: Loopback, audience: str
) -> None:
    """Google's metadata server gives out one that it has had for a while: what is left counts."""
    old = int(time.time()) - 3600
    answers = [
        Reply({"id_token": jwt({"aud": audience, "iat": old, "exp": old + 3600})})
        if audience
        else Reply({"access_token": "old", "expires_in": 0})
    ]
    google.answer = lambda asked: answers.pop() if answers else tokens(asked)
    airflow = enter(audience)
    for _ in range(3):
        list(airflow.dags())
    assert len(google.asked) == 2


@KINDS
def test_google_refuses(enter: Callable[..., Airflow], account: Path, google: Loopback, audience: str) -> None:
    google.answer = lambda asked: Reply({"error": "invalid_grant", "error_description": "of no-such-account"}, 400)
    with pytest.raises(Unauthorised, match=r"RefreshError.*GOOGLE_APPLICATION_CREDENTIALS"):
        list(enter(audience).dags())
    assert len(google.asked) == 1


@KINDS
def test_google_is_down(enter: Callable[..., Airflow], account: Path, google: Loopback, audience: str) -> None:
    """It is the bridge that waits and tries again, within the time of the call."""
    good, answers = google.answer, [Reply("<html>", 503), Reply("", 429)]
    google.answer = lambda asked: answers.pop() if answers else good(asked)
    assert list(enter(audience).dags()) == []
    google.answer = lambda asked: Reply("<html>", 503)
    with pytest.raises(Unreachable, match="503"):
        list(enter(audience).dags())
    told = json.loads(account.read_text())
    account.write_text(json.dumps({**told, "token_uri": "http://127.0.0.1:1/token"}))
    with pytest.raises(Unreachable):
        list(enter(audience).dags())


@KINDS
@pytest.mark.parametrize("text", [None, "", '{"type": "service_account"}'])
def test_a_key_file_that_is_none(
    enter: Callable[..., Airflow], account: Path, google: Loopback, audience: str, text: str | None
) -> None:
    account.unlink() if text is None else account.write_text(text)
    with pytest.raises(Unauthorised, match=r"DefaultCredentialsError|MalformedError"):
        list(enter(audience).dags())
    assert google.asked == []


@pytest.mark.parametrize("module", ["google.auth", "requests"])
def test_without_google_auth(enter: Callable[..., Airflow], monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Unsupported, match=r"package google-auth\[requests\]"):
        list(enter().dags())


# --- the machine's own account ---------------------------------------------------------------------------------------
EMAIL = "runner@reports.iam.gserviceaccount.com"


def metadata(asked: Asked) -> Reply:
    """As a machine of Google's answers about itself."""
    flavor = {"Metadata-Flavor": "Google"}
    assert asked.headers["metadata-flavor"] == "Google"
    path = asked.path.partition("?")[0].removeprefix("/computeMetadata/v1/")
    account = {"email": EMAIL, "scopes": ["https://www.googleapis.com/auth/cloud-platform"], "aliases": ["default"]}
    now = int(time.time())
    known = {
        "/": Reply("computeMetadata/", headers=flavor),
        "project/project-id": Reply("reports", headers=flavor),
        "universe/universe-domain": Reply("googleapis.com", headers=flavor),
        "instance/service-accounts/default/": Reply(account, headers=flavor),
        f"instance/service-accounts/{EMAIL}/token": Reply({"access_token": "ya29.of-the-machine", "expires_in": 3000}),
        "instance/service-accounts/default/token": Reply({"access_token": "ya29.of-the-machine", "expires_in": 3000}),
        "instance/service-accounts/default/identity": Reply(
            jwt({"aud": AUDIENCE, "iat": now, "exp": now + 3600}), headers=flavor
        ),
    }
    return known.get(path, Reply("not found", 404, flavor))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    with loopback(metadata) as server:
        place = server.url.removeprefix("http://")
        monkeypatch.setenv("GCE_METADATA_IP", place)
        monkeypatch.setattr(_metadata, "_GCE_METADATA_HOST", place)  # which it has read from the environment already
        monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")  # through which nobody finds what belongs to the machine
        yield server


@KINDS
def test_the_machines_own_account(
    enter: Callable[..., Airflow], machine: Loopback, composer: Loopback, audience: str
) -> None:
    airflow = enter(audience)
    assert list(airflow.dags()) == list(airflow.dags()) == []
    token = composer.asked[0].headers["authorization"].removeprefix("Bearer ")
    assert token.endswith("signature-of-google") if audience else token == "ya29.of-the-machine"
    assert len(machine.to("GET .*/(token|identity).*")) == 1


@KINDS
def test_neither_a_key_file_nor_a_machine_of_googles(
    enter: Callable[..., Airflow], machine: Loopback, monkeypatch: pytest.MonkeyPatch, audience: str
) -> None:
    machine.answer = lambda asked: Reply("somebody else's", 404)
    with pytest.raises(Unauthorised, match="DefaultCredentialsError"):
        list(enter(audience).dags())
    monkeypatch.setenv("GCE_METADATA_IP", "127.0.0.1:1")
    monkeypatch.setattr("google.auth._exponential_backoff.time.sleep", lambda seconds: None)
    with pytest.raises(Unauthorised, match="DefaultCredentialsError"):
        list(enter(audience).dags())
