"""MWAA by the real boto3: AWS and the environment's log-in are stand-ins on loopback."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable, Iterator

import pytest

from airflow_bridge import Airflow, MwaaAuth, Unauthorised, Unreachable, Unsupported, connect
from tests.bridge.loopback import Asked, Loopback, Reply, log_everything, loopback

SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "the-secret-access-key",
    "AWS_SESSION_TOKEN": "the-token-of-an-assumed-role",
}
WEB_TOKEN, SESSION = "the-web-login-token", "the-session-of-airflow"
CLAIMS = base64.urlsafe_b64encode(json.dumps({"iat": 1000, "exp": 5000}).encode()).decode().rstrip("=")
JWT = f"e30.{CLAIMS}.signature-of-airflow"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Iterator[Loopback]:
    """AWS, with credentials for it in the environment."""
    with loopback(lambda asked: Reply({"WebToken": WEB_TOKEN, "WebServerHostname": "airflow.example.com"})) as server:
        for name, value in {
            "AWS_ENDPOINT_URL_MWAA": server.url,
            "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",  # else it would be asked for at env.127.0.0.1
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": f"{tmp_path}/none",
            "AWS_SHARED_CREDENTIALS_FILE": f"{tmp_path}/none",
            **SECRETS,
        }.items():
            monkeypatch.setenv(name, value)
        yield server


def environment(*, api: str) -> Callable[[Asked], Reply]:
    """One of Airflow 2 ("v1") or 3 as far as signing in goes."""
    version = Reply({"version": "2.10.3" if api == "v1" else "3.0.6"})
    login = "/aws_mwaa/login" if api == "v1" else "/pluginsv2/aws_mwaa/login"
    cookie = f"session={SESSION}" if api == "v1" else f"_token={JWT}"

    def answer(asked: Asked) -> Reply:
        if asked.path == f"/api/{api}/version":
            return version
        if asked.path == login and asked.form == {"token": WEB_TOKEN}:
            return Reply({}, headers={"Set-Cookie": f"{cookie}; Path=/; Secure; HttpOnly"})
        known = (asked.headers.get("cookie"), asked.headers.get("authorization"))
        if known == ((f"session={SESSION}", None) if api == "v1" else (None, f"Bearer {JWT}")):
            # Airflow renews the cookie with its answers
            return Reply({"dags": [], "users": [], "total_entries": 0}, headers={"Set-Cookie": f"session={SESSION}"})
        return Reply({"detail": "Not Found"}, 404)

    return answer


@pytest.fixture
def mwaa(request: pytest.FixtureRequest) -> Iterator[tuple[str, Loopback]]:
    """With Airflow 3, unless told otherwise."""
    api = getattr(request, "param", "v2")
    with loopback(environment(api=api)) as server:
        yield api, server


both = pytest.mark.parametrize("mwaa", ["v1", "v2"], indirect=True)


@pytest.fixture
def enter() -> Iterator[Callable[..., Airflow]]:
    made: list[Airflow] = []

    def enter(api: str, server: Loopback, auth: MwaaAuth | None = None) -> Airflow:
        made.append(connect(name="mwaa", url=server.url, api=api, auth=auth or MwaaAuth("reports"), timeout=20))
        return made[-1]

    yield enter
    for airflow in made:
        airflow.close()


@both
def test_a_web_login_token_is_exchanged_and_the_session_used(
    enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    log_everything(caplog)
    airflow = enter(*mwaa)
    assert list(airflow.dags()) == list(airflow.dags()) == []
    (asked,) = aws.asked
    assert (asked.method, asked.path) == ("POST", "/webtoken/reports")
    assert "AKIAEXAMPLE" in asked.headers["authorization"]
    assert "eu-central-1" in asked.headers["authorization"]
    assert len(mwaa[1].to("POST .*/aws_mwaa/login")) == 1
    loggers = {record.name for record in caplog.records}
    assert {"botocore.auth", "botocore.endpoint", "botocore.parsers", "httpcore.http11"} <= loggers
    secrets = (*SECRETS.values(), WEB_TOKEN, SESSION, JWT)
    assert not [record for record in caplog.records for secret in secrets if secret in record.getMessage()]


def test_a_region_of_its_own(enter: Callable[..., Airflow], aws: Loopback) -> None:
    with loopback(environment(api="v1")) as server:
        list(enter("v1", server, MwaaAuth("reports", region="ap-northeast-2")).dags())
    assert "/ap-northeast-2/airflow/" in aws.asked[0].headers["authorization"]


@pytest.mark.parametrize("code", ["AccessDeniedException", "ResourceNotFoundException", "ExpiredTokenException"])
def test_aws_refuses(enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback, code: str) -> None:
    aws.answer = lambda asked: Reply({"message": "no"}, 403, {"x-amzn-ErrorType": code})
    with pytest.raises(Unauthorised, match=rf"reports: {code}"):
        list(enter(*mwaa).dags())
    assert len(aws.asked) == 1


@pytest.mark.parametrize(("code", "status"), [("InternalServerException", 500), ("ThrottlingException", 400)])
def test_aws_is_not_well(
    enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback, code: str, status: int
) -> None:
    good, answers = aws.answer, [Reply({}, status, {"x-amzn-ErrorType": code})]
    aws.answer = lambda asked: answers.pop() if answers else good(asked)
    assert list(enter(*mwaa).dags()) == []
    aws.answer = lambda asked: Reply({}, status, {"x-amzn-ErrorType": code})
    with pytest.raises(Unreachable, match=code):
        list(enter(*mwaa).dags())


def test_aws_cannot_be_reached(
    enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_MWAA", "http://127.0.0.1:1")
    with pytest.raises(Unreachable, match="EndpointConnectionError"):
        list(enter(*mwaa).dags())


@pytest.mark.parametrize(
    ("without", "says"), [("AWS_ACCESS_KEY_ID", "NoCredentialsError"), ("AWS_DEFAULT_REGION", "NoRegionError")]
)
def test_boto3_does_not_know_who_we_are(
    enter: Callable[..., Airflow],
    mwaa: tuple[str, Loopback],
    aws: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    without: str,
    says: str,
) -> None:
    monkeypatch.delenv(without)
    with pytest.raises(Unauthorised, match=says):
        list(enter(*mwaa).dags())
    assert aws.asked == []


@both
@pytest.mark.parametrize("told", [Reply({}), Reply({}, 403), Reply({}, 302, {"Location": "/login"})])
def test_the_environment_opens_no_session(
    enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback, told: Reply
) -> None:
    api, server = mwaa
    good = server.answer
    server.answer = lambda asked: told if "aws_mwaa" in asked.path else good(asked)
    with pytest.raises(Unauthorised, match="opened no session") as caught:
        list(enter(api, server).dags())
    assert WEB_TOKEN not in str(caught.value)


def test_the_environment_is_down(enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], aws: Loopback) -> None:
    api, server = mwaa
    good = server.answer
    server.answer = lambda asked: Reply("<html>", 503) if "aws_mwaa" in asked.path else good(asked)
    with pytest.raises(Unreachable, match="503"):
        list(enter(api, server).dags())


def test_without_boto3(
    enter: Callable[..., Airflow], mwaa: tuple[str, Loopback], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3.session", None)
    with pytest.raises(Unsupported, match="package boto3"):
        list(enter(*mwaa).dags())
