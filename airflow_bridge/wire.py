"""The one module that imports httpx: sends one request, gives one answer, or says what became of it."""

from __future__ import annotations

import functools
import os
import ssl
import time
import zlib
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from urllib.parse import urlencode

import httpx

from airflow_bridge import deadlines
from airflow_bridge.addresses import is_loopback
from airflow_bridge.answers import Answer
from airflow_bridge.errors import Rejected

CONNECT = 3.0  # seconds to get a connection
LARGEST = 64 * 2**20  # bytes of one answer
CODINGS = {  # how zlib may read them; some send deflate without its frame
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
    """`close` was called: nothing of the request was done."""


class Lost(Exception):
    """The request went out and no whole answer came back. `silent`: none in time; else it was broken off."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent


class NotHttp(Exception):
    """The request cannot be put into HTTP."""


class TooLarge(Exception):
    """The answer is longer than LARGEST."""


class Wire:
    """Connections to one deployment, reused. Thread-safe. Redirects are not followed, cookies not kept."""

    def __init__(self, *, url: str, ca_bundle: str, connections: int) -> None:
        """ca_bundle: path of the certificate authorities to trust (PEM); "": those of the system and environment."""
        self._url = url.rstrip("/")
        trusted = _authorities(ca_bundle) if ca_bundle else _known_authorities(*map(os.environ.get, AUTHORITIES))
        self._direct = _client(connections, trusted, proxies=False)
        self._client = self._direct if is_loopback(url) else _client(connections, trusted, proxies=True)

    def close(self) -> None:
        self._client.close()
        self._direct.close()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        content: bytes | None = None,
        params: Mapping[str, str | int] | None = None,
        patience: float,
    ) -> Answer:
        """url: a path of the deployment or a whole address. patience: seconds for all of it.

        Raises NotSent, Closed, Lost, NotHttp, TooLarge.
        """
        ends = time.monotonic() + patience
        timeout = httpx.Timeout(patience, connect=min(CONNECT, patience), pool=min(CONNECT, patience))
        try:
            # put together here: httpx takes an address apart three times to do the same
            address = f"{self._url}{url}" if url.startswith("/") else url
            address += f"?{urlencode(params)}" if params else ""
            # what is meant for this machine never goes to a proxy, wherever the deployment is
            client = self._direct if is_loopback(address) else self._client
            with (
                deadlines.until(ends),
                client.stream(method, address, content=content, headers=headers, timeout=timeout) as response,
            ):
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > LARGEST:
                        raise TooLarge
                lower = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, lower, _decoded(bytes(body), lower.get("content-encoding", "")))
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            failure: Exception = NotSent(untrusted="CERTIFICATE_VERIFY_FAILED" in str(error))
        except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):
            failure = NotHttp()
        except RuntimeError:
            if not self._client.is_closed:
                raise
            failure = Closed()
        except httpx.TransportError as error:
            failure = Lost(silent=isinstance(error, httpx.TimeoutException))
        raise failure  # out here: an error of httpx, with the request and its headers, must not be its context


def _client(connections: int, trusted: ssl.SSLContext, *, proxies: bool) -> httpx.Client:
    """proxies: whether to use those of the environment."""
    try:
        client = httpx.Client(
            headers={
                "Accept": "application/json",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": "gatehouse-airflow-bridge",
            },
            # room for signing in beside the calls
            limits=httpx.Limits(
                max_connections=connections + 4, max_keepalive_connections=connections, keepalive_expiry=30
            ),
            follow_redirects=False,
            trust_env=proxies,
            verify=trusted,
        )
    except (httpx.InvalidURL, ValueError, ImportError) as error:
        words = "The proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names cannot be used"
        raise Rejected(f"{words} ({type(error).__name__}).") from None
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    # httpx has no door to this; tests/faults would notice a release in which it is elsewhere
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx.HTTPTransport):
            transport._pool._network_backend = deadlines.Backend()
    return client


def _decoded(body: bytes, coding: str) -> bytes:
    """What was packed for the way; never more than LARGEST, however small it came. Raises Lost, TooLarge.

    httpx unpacks first and lets us count afterwards; packed twice, 200 MB come in 3 kB.
    """
    coding = coding.strip().lower()
    if "," in coding:
        raise Lost(silent=False)
    if not body or coding not in CODINGS:
        return body
    for window in CODINGS[coding]:
        try:
            whole = zlib.decompressobj(window).decompress(body, LARGEST + 1)
        except zlib.error:
            continue
        if len(whole) > LARGEST:
            raise TooLarge
        return whole
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
