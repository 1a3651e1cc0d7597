"""Certificates: whom the bridge believes, and that nothing is sent to anybody else."""

from __future__ import annotations

import inspect
import ssl
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpcore
import pytest

from airflow_bridge import Airflow, PasswordAuth, Rejected, Unreachable, connect, find_api
from tests.bridge.certificates import Authority
from tests.bridge.loopback import Asked, Reply, loopback

AUTH = PasswordAuth("gatehouse", "the-password")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "theirs")


def answer(asked: Asked) -> Reply:
    if asked.path == "/auth/token":
        return Reply({"access_token": "the-token"}, 201)
    return Reply({"version": "3.3.2", "dags": [], "users": [], "total_entries": 0})


def client(url: str, **changes: object) -> Airflow:
    return connect(name="prod", url=url, api="v2", auth=AUTH, **changes)


def test_our_own_authority_is_believed(ours: Authority) -> None:
    with loopback(answer, tls=ours.context("127.0.0.1")) as server:
        airflow = client(server.url, ca_bundle=str(ours.bundle))
        assert list(airflow.dags()) == []
        assert find_api(name="prod", url=server.url, ca_bundle=str(ours.bundle)) == "v2"
        airflow.close()
    assert server.asked[0].path == "/auth/token"


@pytest.mark.parametrize("bundle", ["theirs", "the system's"])
def test_another_authority_is_not(ours: Authority, theirs: Authority, bundle: str) -> None:
    with loopback(answer, tls=ours.context("127.0.0.1")) as server:
        airflow = client(server.url, ca_bundle=str(theirs.bundle) if bundle == "theirs" else "")
        with pytest.raises(Unreachable, match="its certificate cannot be trusted") as caught:
            airflow.set_roles("alice", ["Op"])
        airflow.close()
    assert "prod" in str(caught.value)
    assert server.asked == []


@pytest.mark.parametrize(
    ("host", "ends"), [("airflow.example.com", timedelta(hours=1)), ("127.0.0.1", timedelta(hours=-1))]
)
def test_the_certificate_of_another_host_or_time(ours: Authority, host: str, ends: timedelta) -> None:
    with loopback(answer, tls=ours.context(host, ends=ends)) as server:
        airflow = client(server.url, ca_bundle=str(ours.bundle))
        with pytest.raises(Unreachable, match="its certificate cannot be trusted"):
            list(airflow.dags())
        airflow.close()
    assert server.asked == []


@pytest.mark.parametrize("bundle", ["none", "empty", "False", "0"])
def test_a_bundle_that_is_none_does_not_mean_no_check(tmp_path: Path, bundle: str) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Rejected) as caught:
        client("https://airflow.example.com", ca_bundle=str(tmp_path / bundle) if bundle == "empty" else bundle)
    assert caught.value.field == "ca_bundle"


@pytest.mark.parametrize("there", [False, True])
def test_authorities_of_the_environment_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    bundle = tmp_path / "bundle.pem"
    if there:
        bundle.write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(Rejected, match="SSL_CERT_FILE"):
        client("https://airflow.example.com")


@pytest.mark.parametrize("bundle", [False, True])
def test_there_is_no_switch_to_turn_it_off(ours: Authority, bundle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an argument, nor the usual variables, nor the client's own idea of a context."""
    for name in ("PYTHONHTTPSVERIFY", "SSL_VERIFY", "CURL_INSECURE", "HTTPX_VERIFY"):
        monkeypatch.setenv(name, "0")
    for function in (connect, find_api):
        assert not [name for name in inspect.signature(function).parameters if "verif" in name or "insecure" in name]
    pools: list[dict[str, Any]] = []
    pool = httpcore.ConnectionPool
    monkeypatch.setattr(httpcore, "ConnectionPool", lambda **given: pools.append(given) or pool(**given))
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    for url in ("https://127.0.0.1", "https://airflow.example.com"):
        client(url, ca_bundle=str(ours.bundle) if bundle else "", allow_plain_http=True).close()
    assert pools
    for pool in pools:
        assert pool["ssl_context"].verify_mode is ssl.CERT_REQUIRED
        assert pool["ssl_context"].check_hostname
