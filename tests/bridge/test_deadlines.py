"""How long it may take to get a connection to a host of several addresses."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import httpcore
import pytest

from airflow_bridge.deadlines import Backend, until
from tests.bridge.loopback import Reply, loopback

NAME = "airflow.example.com"


def resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: int, **more: int) -> list[Any]:
        hosts = addresses if host == NAME else [host]
        return [found for host in hosts for found in real(host, port, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


class Swallows:
    """An address that never answers; waiting for it takes no time but that of its own clock."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def connect_tcp(self, host: str, port: int, timeout: float, *_: object) -> httpcore.NetworkStream:
        self.asked.append(host)
        self.now += timeout
        raise httpcore.ConnectTimeout


@pytest.mark.parametrize("timeout", [0.3, 3.0])
def test_many_addresses_that_swallow_everything(monkeypatch: pytest.MonkeyPatch, timeout: float) -> None:
    """Each is tried, in the time of one."""
    addresses = [f"192.0.2.{number}" for number in range(6)]
    resolve(monkeypatch, *addresses)
    backend, swallows = Backend(), Swallows()
    monkeypatch.setattr(backend, "_inner", swallows)
    monkeypatch.setattr("airflow_bridge.deadlines.time", swallows)
    with until(1000.4), pytest.raises(httpcore.ConnectTimeout):
        backend.connect_tcp(NAME, 443, timeout)
    assert swallows.now == pytest.approx(1000.0 + min(timeout, 0.4))
    assert swallows.asked == addresses


def test_the_address_that_answers_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with loopback(lambda asked: Reply()) as server:
        resolve(monkeypatch, "::1", "127.0.0.1")
        stream = Backend().connect_tcp(NAME, int(server.url.rpartition(":")[2]), 3.0)
        assert stream.get_extra_info("server_addr")[0] == "127.0.0.1"
        stream.close()


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(httpcore.ConnectError):
        Backend().connect_tcp(NAME, 443, 1.0)


def test_no_room_for_another_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", full)
    with pytest.raises(httpcore.ConnectError, match="can't start new thread"):
        Backend().connect_tcp(NAME, 443, 1.0)


def test_a_name_that_nobody_answers_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may take its minute: the call has no more than its own time."""
    over, asked = threading.Event(), threading.Event()

    def never(*_: object, **__: object) -> list[Any]:
        asked.set()
        over.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", never)
    try:
        with (
            until(time.monotonic() + 0.1),
            pytest.raises(httpcore.ConnectTimeout, match=f"{NAME} was not found in time"),
        ):
            Backend().connect_tcp(NAME, 443, 30.0)
        assert asked.is_set()
        assert not over.is_set()
    finally:
        over.set()
