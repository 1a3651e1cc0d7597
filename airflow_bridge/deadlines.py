"""Sockets that know when the request they serve must be over. httpcore's own timeouts begin anew with every byte: an
answer that drips would go on for ever."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

import httpcore

_current = threading.local()


@contextmanager
def until(moment: float) -> Iterator[None]:
    """Whatever this thread asks of a `Backend` meanwhile ends by then (time.monotonic)."""
    before = getattr(_current, "moment", None)
    _current.moment = moment
    try:
        yield
    finally:
        _current.moment = before


def _left(timeout: float | None, error: type[Exception]) -> float | None:
    moment: float | None = getattr(_current, "moment", None)
    if moment is None:
        return timeout
    left = moment - time.monotonic()
    if left <= 0:
        raise error("the time for this request is over")
    return left if timeout is None else min(left, timeout)


class Backend(httpcore.NetworkBackend):
    """httpcore's own, within the time that `until` gives."""

    def __init__(self) -> None:
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A host of several addresses has the same time: each of them an equal part of what those before have left."""
        ends = None if timeout is None else time.monotonic() + timeout
        addresses = _addresses(host, port, _left(timeout, httpcore.ConnectTimeout))
        for number, address in enumerate(addresses):
            left = _left(None if ends is None else max(0.0, ends - time.monotonic()), httpcore.ConnectTimeout)
            part = None if left is None else left / (len(addresses) - number)
            try:
                return _Stream(self._inner.connect_tcp(address, port, part, local_address, socket_options))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure: Exception = error
        raise failure


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """Of a host by its name, which nobody can stop the operating system from looking up once it has begun: where that
    takes longer, a thread is left with it."""
    answer: Future[list[Any]] = Future()

    def look_up() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except BaseException as error:
            answer.set_exception(error)

    try:
        threading.Thread(target=look_up, name=f"looking up {host}", daemon=True).start()
        found = answer.result(timeout)
    except TimeoutError:
        raise httpcore.ConnectTimeout(f"the address of {host} was not found in time") from None
    except (OSError, RuntimeError) as error:  # unknown, or there is no room for another thread
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, _left(timeout, httpcore.ConnectTimeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
