"""The one module that speaks HTTP: sends one request, gives one answer, or says what became of it.

It asks httpcore, the transport of httpx, directly: httpx takes no network backend, which `deadlines` needs to be. The
addresses, headers, proxies and certificate authorities are read by httpx.
"""

from __future__ import annotations

import functools
import importlib
import os
import ssl
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

import httpcore
import httpx

from airflow_bridge import deadlines
from airflow_bridge.addresses import is_loopback
from airflow_bridge.answers import Answer
from airflow_bridge.errors import Rejected

CONNECT = 3.0  # seconds to get a connection
KEEP = 30.0  # seconds that a connection without a call is kept
LARGEST = 64 * 2**20  # bytes of one answer
HEADERS = {
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "gatehouse-airflow-bridge",
}
WITH_LENGTH = ("POST", "PUT", "PATCH")  # methods for which some gateways want a Content-Length even without a body
CODINGS = {  # window sizes for zlib; some servers send deflate without its header
    "gzip": (16 + zlib.MAX_WBITS,),
    "x-gzip": (16 + zlib.MAX_WBITS,),
    "deflate": (zlib.MAX_WBITS, -zlib.MAX_WBITS),
}
AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class NotSent(Exception):
    """There was no connection: nothing of the request was done. `untrusted`: because of its certificate."""

    def __init__(self, *, untrusted: bool = False) -> None:
        self.untrusted = untrusted


class Closed(Exception):
    """`close` was called before: nothing of the request was done."""


class Lost(Exception):
    """The request was sent and no complete answer came back. `silent`: no answer in time; else it was cut off."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent


class NotHttp(Exception):
    """The request cannot be put into HTTP."""


class TooLarge(Exception):
    """The answer is longer than allowed."""


class Wire:
    """The connections to one deployment. Thread-safe. Redirects are not followed, cookies not kept."""

    def __init__(self, *, url: str, ca_bundle: str, connections: int) -> None:
        """ca_bundle: path of the certificate authorities to trust (PEM); "": those of the system and environment.

        Raises Rejected for authorities or a proxy of the environment that cannot be used.
        """
        self._url = url.rstrip("/")
        self._closed = False
        trusted = _authorities(ca_bundle) if ca_bundle else _known_authorities(*map(os.environ.get, AUTHORITIES))
        proxies = {} if is_loopback(url) else getproxies()
        self._direct = _pool(connections, trusted)
        self._pools = {
            scheme: _pool(connections, trusted, proxy)
            for scheme in ("http", "https")
            if (proxy := proxies.get(scheme) or proxies.get("all"))
        }

    def close(self) -> None:
        self._closed = True
        for pool in (self._direct, *self._pools.values()):
            pool.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        timeout: float,
        largest: int = LARGEST,
    ) -> Answer:
        """url: a path of the deployment or a complete address. timeout: seconds for the request and its answer.

        largest: bytes of the answer. Raises NotSent, Closed, Lost, NotHttp, TooLarge.
        """
        with self.open(method, url, headers=headers, content=content, params=params, timeout=timeout) as response:
            lower = dict(httpx.Headers(response.headers))
            body = _body(response, largest)
            return Answer(response.status, lower, _decoded(body, lower.get("content-encoding", ""), largest))

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        timeout: float,
    ) -> Iterator[httpcore.Response]:
        """An answer whose body is not read yet. It must be read inside the block, by this thread, within `timeout`.

        Raises NotSent, Closed, Lost, NotHttp, also while the body is read.
        """
        if self._closed:
            raise Closed
        connect = min(CONNECT, timeout)
        timeouts = {"connect": connect, "pool": connect, "read": timeout, "write": timeout}
        try:
            address = httpx.URL(f"{self._url}{url}" if url.startswith("/") else url, params=params or None)
            with (
                deadlines.until(time.monotonic() + timeout),
                self._pool_for(address).stream(
                    method,
                    httpcore.URL(
                        scheme=address.raw_scheme, host=address.raw_host, port=address.port, target=address.raw_path
                    ),
                    headers=[(b"Host", address.netloc), *_encoded({**HEADERS, **headers})],
                    content=b"" if content is None and method in WITH_LENGTH else content,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                yield response
                return
        except (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.ProxyError) as error:
            failure: Exception = NotSent(untrusted="CERTIFICATE_VERIFY_FAILED" in str(error))
        except (httpcore.LocalProtocolError, httpcore.UnsupportedProtocol, httpx.InvalidURL, UnicodeError):
            failure = NotHttp()
        except httpcore.TimeoutException:
            failure = Lost(silent=True)
        except (httpcore.NetworkError, httpcore.ProtocolError):
            failure = Lost(silent=False)
        # outside of `except`: httpcore's error, which holds the request and its headers, must not be the context
        raise failure

    def _pool_for(self, address: httpx.URL) -> httpcore.ConnectionPool:
        """What is meant for this machine never goes to a proxy, wherever the deployment is."""
        pool = self._pools.get(address.scheme)
        if pool is None or is_loopback(str(address)) or _goes_direct(address):
            return self._direct
        return pool


def _goes_direct(address: httpx.URL) -> bool:
    """Whether NO_PROXY names the host, with or without its port; a `*` among the names means every host."""
    names = getproxies().get("no", "").split(",")
    bypassed = proxy_bypass(address.netloc.decode()) or proxy_bypass(address.host)
    return bool(bypassed) or "*" in (name.strip() for name in names)


def _body(response: httpcore.Response, largest: int) -> bytes:
    """Raises TooLarge."""
    body = bytearray()
    for chunk in response.iter_stream():
        body += chunk
        if len(body) > largest:
            raise TooLarge
    return bytes(body)


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _pool(connections: int, trusted: ssl.SSLContext, proxy: str = "") -> httpcore.ConnectionPool:
    return httpcore.ConnectionPool(
        ssl_context=trusted,
        proxy=_proxy(proxy) if proxy else None,
        max_connections=connections + 4,  # room for signing in beside the calls
        max_keepalive_connections=connections,
        keepalive_expiry=KEEP,
        network_backend=deadlines.Backend(),
    )


def _proxy(address: str) -> httpcore.Proxy:
    """A proxy of the environment, with its user name and password. Raises Rejected where it cannot be used."""
    try:
        proxy = httpx.Proxy(address if "://" in address else f"http://{address}")
        if proxy.url.scheme.startswith("socks"):
            importlib.import_module("socksio")
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        words = "The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used"
        raise Rejected(f"{words} ({type(error).__name__}).") from None
    url = proxy.url
    return httpcore.Proxy(
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path), auth=proxy.raw_auth
    )


def _decoded(body: bytes, coding: str, largest: int) -> bytes:
    """The decompressed body, up to `largest`: 200 MB compressed twice are 3 kB. Raises Lost, TooLarge."""
    coding = coding.strip().lower()
    if "," in coding:
        raise Lost(silent=False)
    if not body or coding not in CODINGS:
        return body
    for window in CODINGS[coding]:
        try:
            unpacked = zlib.decompressobj(window).decompress(body, largest + 1)
        except zlib.error:
            continue
        if len(unpacked) > largest:
            raise TooLarge
        return unpacked
    raise Lost(silent=False)


@functools.cache
def _known_authorities(*environment: str | None) -> ssl.SSLContext:
    """Those that httpx trusts by itself, read once: it takes a tenth of a second. environment: what they depend on."""
    try:
        return httpx.create_ssl_context()
    except OSError as error:
        named = " or ".join(name for name in AUTHORITIES if os.environ.get(name))
        raise Rejected(f"The certificate authorities that {named} names cannot be read: {error}.") from None


def _authorities(path: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise Rejected(f"The certificate authorities in {path} cannot be read: {error}.", field="ca_bundle") from None
