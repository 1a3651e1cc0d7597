"""A network backend for httpcore with one deadline for each request.

httpcore's own timeouts begin again with every byte: an answer that arrives byte by byte would never time out.
"""

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
    """Everything that this thread does with a `Backend` inside the block ends by then (time.monotonic)."""
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
        """The addresses of a host share the time: each gets an equal part of what is left."""
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
    """The addresses of a host. A look-up cannot be cancelled: a thread is left behind with one that takes too long."""
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
    except (OSError, RuntimeError) as error:  # unknown host, or no more threads
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
