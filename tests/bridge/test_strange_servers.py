"""Servers that are no Airflow, or one in bad company: redirects, certificates, endless answers, cookies."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from airflow_bridge import Airflow, Rejected, TimedOut, TokenAuth, Unexpected, Unreachable, connect
from airflow_bridge.wire import LARGEST, Closed, Lost, NotSent, TooLarge, Wire
from tests.bridge.loopback import Reply, loopback
from tests.conftest import missing
from tests.fake_airflow import FakeAirflow

Speak = Callable[[socket.socket, threading.Event], None]


@contextmanager
def server(speak: Speak) -> Iterator[str]:
    """Speaks to each connection on a thread of its own until it closes; gives the address "127.0.0.1:port"."""
    listening = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()
    threads: list[threading.Thread] = []

    def serve(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):  # the client may have had enough
            speak(connection, over)

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        over.set()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for thread in (accepting, *threads):
            thread.join(10)


@contextmanager
def client(url: str, timeout: float = 2.0) -> Iterator[Airflow]:
    airflow = connect(name="prod", url=url, api="v2", auth=TokenAuth("the-token"), timeout=timeout)
    yield airflow
    airflow.close()


def says(answer: bytes) -> Speak:
    def speak(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(answer)

    return speak


def test_a_redirect_is_not_followed(fake: FakeAirflow) -> None:
    """The token would go wherever it points."""
    answer = f"HTTP/1.1 302 Found\r\nLocation: {fake.url}/api/v2/version\r\nContent-Length: 0\r\n\r\n".encode()
    with (
        server(says(answer)) as address,
        client(f"http://{address}") as airflow,
        pytest.raises(Unexpected, match="final address"),
    ):
        airflow.user("alice")
    assert fake.requests == []


def test_an_answer_that_never_ends() -> None:
    """A byte now and then is no silence, but the call has its budget."""

    def trickle(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n")
        while not over.wait(0.02):
            connection.sendall(b" ")

    with server(trickle) as address, client(f"http://{address}", timeout=0.4) as airflow, pytest.raises(TimedOut):
        airflow.user("alice")


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    ],
)
def test_what_is_not_http(answer: bytes) -> None:
    with (
        server(says(answer)) as address,
        client(f"http://{address}") as airflow,
        pytest.raises(TimedOut, match="broke off"),
    ):
        airflow.user("alice")


# --- packed answers --------------------------------------------------------------------------------------------------
def packed(content: bytes, window: int) -> bytes:
    packing = zlib.compressobj(9, zlib.DEFLATED, window)
    return packing.compress(content) + packing.flush()


GZIP, ZLIB, RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
TWICE = packed(packed(b"{}", GZIP), GZIP)


def receive(body: bytes, coding: str, largest: int = LARGEST) -> bytes:
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + (f"{coding}\r\n" if coding else "")
    answer = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with server(says(answer)) as address:
        wire = Wire(url=f"http://{address}", ca_bundle="", connections=1)
        try:
            return wire.send("GET", "/", headers={}, timeout=10.0, largest=largest).body
        finally:
            wire.close()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("", b"{}"),
        ("Content-Encoding: identity", b"{}"),
        ("Content-Encoding: GZIP", packed(b"{}", GZIP)),
        ("Content-Encoding: deflate", packed(b"{}", ZLIB)),
        ("Content-Encoding: deflate", packed(b"{}", RAW)),
    ],
)
def test_a_packed_answer(coding: str, body: bytes) -> None:
    assert receive(body, coding) == b"{}"


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("Content-Encoding: gzip, gzip", TWICE),
        ("Content-Encoding: gzip\r\nContent-Encoding: gzip", TWICE),
        ("Content-Encoding: gzip", b"{}"),
    ],
)
def test_an_answer_that_is_packed_twice_or_not_as_it_says(coding: str, body: bytes) -> None:
    with pytest.raises(Lost):
        receive(body, coding)


@pytest.mark.parametrize(("coding", "window"), [("gzip", GZIP), ("deflate", ZLIB), ("deflate", RAW)])
def test_what_is_unpacked_has_an_end(coding: str, window: int) -> None:
    """However small it came."""
    header = f"Content-Encoding: {coding}"
    assert len(receive(packed(bytes(10_000), window), header, largest=10_000)) == 10_000
    with pytest.raises(TooLarge):
        receive(packed(bytes(10_001), window), header, largest=10_000)


def test_a_large_answer_that_is_not_packed() -> None:
    with pytest.raises(TooLarge):
        receive(bytes(LARGEST + 1), "")


# --- proxies ---------------------------------------------------------------------------------------------------------
def test_what_is_meant_for_this_machine_goes_to_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that gives out tokens here, for a deployment elsewhere: the secret is in the request."""
    for name in ("NO_PROXY", "no_proxy", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with loopback(lambda asked: Reply()) as proxy, loopback(lambda asked: Reply()) as issuer:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        wire = Wire(url="https://airflow.example.com", ca_bundle="", connections=1)
        for address in (issuer.url, issuer.url.replace("127.0.0.1", "localhost")):
            wire.send("POST", f"{address}/token", headers={}, content=b"secret", timeout=5.0)
        assert len(issuer.asked) == 2
        assert proxy.asked == []
        wire.send("GET", "http://elsewhere.example.com/token", headers={}, timeout=5.0)
        assert len(proxy.asked) == 1
        wire.close()


def test_a_proxy_is_signed_in_to_and_no_proxy_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "inside.example.com, .localdomain")
    with loopback(lambda asked: Reply()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://boss:s3cret@"))
        wire = Wire(url="http://airflow.example.com:8080/team", ca_bundle="", connections=1)
        wire.send("GET", "/api/v2/version", headers={}, params={"limit": 1, "after": "a+b"}, timeout=5.0)
        for inside in ("http://inside.example.com", "http://airflow.inside.example.com", "http://airflow.localdomain"):
            with pytest.raises(NotSent):
                wire.send("GET", inside, headers={}, timeout=2.0)
        wire.close()
    (asked,) = proxy.asked
    assert asked.path == "http://airflow.example.com:8080/team/api/v2/version?limit=1&after=a%2Bb"
    assert asked.headers["host"] == "airflow.example.com:8080"
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'boss:s3cret').decode()}"


@pytest.mark.parametrize(
    ("names", "direct"),
    [
        ("fd00::1", True),
        ("[fd00::1]", True),
        ("[fd00::1]:8080", True),
        ("localhost, *", True),
        ("fd00::1,other.example.com", True),
        ("fd00::2,[fd00::1]:9090,other.example.com", False),
    ],
)
def test_no_proxy_names_hosts_in_any_spelling(monkeypatch: pytest.MonkeyPatch, names: str, direct: bool) -> None:
    """Which way is taken is read from the wire: tests may not connect to another machine."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", names)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    wire = Wire(url="http://airflow.example.com", ca_bundle="", connections=1)
    assert (wire._pool_for(httpx.URL("http://[fd00::1]:8080/api")) is wire._direct) is direct
    wire.close()


@pytest.mark.parametrize(("method", "length"), [("GET", None), ("POST", "0")])
def test_a_request_without_a_body_tells_its_length(method: str, length: str | None) -> None:
    """Some gateways answer 411 to a POST or PUT without one."""
    with loopback(lambda asked: Reply()) as server:
        wire = Wire(url=server.url, ca_bundle="", connections=1)
        wire.send(method, "/", headers={}, timeout=5.0)
        wire.close()
    assert server.asked[0].headers.get("content-length") == length


def test_nothing_is_sent_once_it_is_closed() -> None:
    with loopback(lambda asked: Reply()) as server:
        wire = Wire(url=server.url, ca_bundle="", connections=1)
        wire.close()
        with pytest.raises(Closed):
            wire.send("GET", "/", headers={}, timeout=5.0)
    assert server.asked == []


@pytest.mark.parametrize(
    "proxy", ["gopher://proxy.example.com", "socks5://proxy.example.com", "http://proxy.example.com:none"]
)
def test_a_proxy_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(Rejected, match="ALL_PROXY"), client("https://airflow.example.com"):
        pass


def test_cookies_are_not_kept() -> None:
    heard: list[bytes] = []
    body = b'{"version": "3.3.2"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: session=s3cret; Path=/\r\n"

    def speak(connection: socket.socket, over: threading.Event) -> None:
        while heard_now := connection.recv(65536):
            heard.append(heard_now)
            connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    with server(speak) as address, client(f"http://{address}") as airflow:
        assert [airflow.version(), airflow.version()] == ["3.3.2", "3.3.2"]
    assert len(heard) == 2
    assert not any(b"s3cret" in request for request in heard)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate that nobody vouches for, and its key."""
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    try:
        subprocess.run([*command, *subject, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        missing("openssl")
    return certificate, key


def test_a_certificate_that_nobody_vouches_for(certificate: tuple[Path, Path]) -> None:
    heard: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def speak(connection: socket.socket, over: threading.Event) -> None:
        with context.wrap_socket(connection, server_side=True) as safe:
            heard.append(safe.recv(65536))

    with (
        server(speak) as address,
        client(f"https://{address}") as airflow,
        pytest.raises(Unreachable, match="certificate"),
    ):
        airflow.user("alice")
    assert not any(heard)


def test_no_tls_where_tls_is_expected() -> None:
    with (
        server(says(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as address,
        client(f"https://{address}") as airflow,
        pytest.raises(Unreachable),
    ):
        airflow.user("alice")
