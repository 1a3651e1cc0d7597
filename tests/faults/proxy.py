"""A proxy that loses things: it stands between the bridge and an Airflow and does to each request what it is told.

It speaks enough HTTP to see "METHOD /path" of each request and to pass a complete one on; connections of the client are
kept open as a server keeps them, those to the target are new each time. What it may do is in tests/faults/kinds.py.

    with LossyProxy(airflow_url) as proxy:
        proxy.do("PATCH .*/users/alice", "cut_after", times=1)
        ...                                   # ask proxy.url
        proxy.passed_on("PATCH .*")           # what reached Airflow
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import random
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO
from urllib.parse import urlsplit

TIMEOUT = 30.0  # seconds the target may take, and what is waited for at the end
_ways = itertools.count(1)
OURS = {"connection", "keep-alive", "transfer-encoding", "content-length"}  # headers that end at a proxy


class Over(Exception):
    """The proxy is being closed, or the client has gone: whatever is under way ends here."""


@dataclass
class Seen:
    """One request as it came in and what became of it. `began` and `ended` are of time.monotonic."""

    method: str
    path: str
    body: bytes
    connection: int
    fault: str = ""
    passed_on: bool = False
    status: int = 0
    began: float = field(default_factory=time.monotonic)
    ended: float = 0.0

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Exchange:
    """One request and what a fault can do with it. Unless `answer` was called, the connection is closed afterwards."""

    def __init__(self, proxy: LossyProxy, connection: socket.socket, head: bytes, seen: Seen) -> None:
        self.seen = seen
        self.random = proxy.random
        self.keep = False
        self._proxy = proxy
        self._connection = connection
        self._head = head
        self._answer: bytes | None = None

    def forward(self) -> bytes:
        """Pass the request on, once; the target's complete answer as bytes. Raises OSError where the target is away."""
        if self._answer is None:
            self._answer = self._ask_target()
        return self._answer

    def answer(self, response: bytes) -> None:
        """Send a complete answer; the connection stays open."""
        self.send(response)
        self.keep = True

    def send(self, data: bytes) -> None:
        self._connection.sendall(data)

    def pause(self, seconds: float) -> None:
        """Wait, whether the client is still there or not. Raises Over."""
        if self._proxy.over.wait(seconds):
            raise Over

    def hang(self) -> None:
        """Say nothing until the client has had enough or the proxy is closed."""
        while not self._proxy.over.is_set():
            if select.select([self._connection], [], [], 0.02)[0] and not self._connection.recv(1, socket.MSG_PEEK):
                return
        raise Over

    def reset(self) -> None:
        """End the connection with a RST instead of a FIN, as a machine that has lost its memory does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _ask_target(self) -> bytes:
        lines = self._head.decode("latin-1").split("\r\n")
        asked = lines[0].split(" ")[1]
        headers = [line.partition(":") for line in lines[1:] if line]
        target = http.client.HTTPConnection(self._proxy.target, timeout=TIMEOUT)
        with contextlib.closing(target):
            target.putrequest(self.seen.method, asked, skip_host=True, skip_accept_encoding=True)
            for name, _, value in headers:
                if name.lower() not in OURS:
                    target.putheader(name, value.strip())
            target.putheader("Content-Length", str(len(self.seen.body)))
            target.putheader("Connection", "close")
            self.seen.passed_on = True
            target.endheaders(self.seen.body)
            got = target.getresponse()
            content = got.read()
            self.seen.status = got.status
            kept = [f"{name}: {value}" for name, value in got.getheaders() if name.lower() not in OURS]
            return http_response(f"{got.status} {got.reason}", kept, content)


def http_response(status: str, headers: Sequence[str], content: bytes) -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}"])
    return head.encode("latin-1") + b"\r\n\r\n" + content


Fault = Callable[[Exchange], None]


@dataclass
class _Rule:
    pattern: re.Pattern[str]
    name: str
    fault: Fault
    times: int | None
    after: str


class LossyProxy:
    """On loopback, at a free port, one thread for each connection; without rules it only passes on.

    kinds: the faults by name. seen: every request so far, in the order in which they came.
    """

    def __init__(self, target: str, kinds: dict[str, Fault], *, seed: int = 0) -> None:
        self.target = urlsplit(target).netloc
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.seen: list[Seen] = []
        self.opened = 0
        self._kinds = kinds
        self._changed = threading.Condition()
        self._rules: list[_Rule] = []
        self._lottery: list[str] = []
        self._drawn: list[str] = []
        self._busy = 0
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._broken: list[BaseException] = []
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=128)
        # a port may come again, and what Airflow wanted of the clients of one address holds for all of that address
        self._prefix = f"/way-{next(_ways)}"
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}{self._prefix}"

    # what to do

    def do(self, pattern: str, fault: str, *, times: int | None = None, after: str = "") -> None:
        """To the next `times` requests (None: all) whose "METHOD /path" matches `pattern` (a regular expression).

        after: only once a request that matches this one has been seen.
        """
        with self._changed:
            self._rules.append(_Rule(re.compile(pattern), fault, self._kinds[fault], times, after))

    def at_random(self, share: float, faults: Sequence[str]) -> None:
        """Do something to this share of all requests, each of `faults` once before any comes again.

        In which order, and between which requests that are left alone, is decided by the seed.
        """
        with self._changed:
            self._lottery, self._drawn = [*faults, *[""] * round(len(faults) * (1 / share - 1))], []

    def lift(self) -> None:
        """No more faults. What is under way goes on."""
        with self._changed:
            self._rules.clear()
            self._lottery = []

    # what was seen

    def forget(self) -> None:
        with self._changed:
            self.seen.clear()

    def asked(self, pattern: str) -> list[Seen]:
        with self._changed:
            return [seen for seen in self.seen if re.fullmatch(pattern, str(seen))]

    def passed_on(self, pattern: str) -> list[Seen]:
        return [seen for seen in self.asked(pattern) if seen.passed_on]

    @property
    def connections(self) -> int:
        """How many connections clients hold open at this moment."""
        with self._changed:
            return len(self._open)

    def wait_until(self, condition: Callable[[], bool], *, what: str) -> None:
        """Wait for something that a request or a connection brings about."""
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT), f"not within {TIMEOUT:.0f} s: {what}"

    def wait_until_quiet(self) -> None:
        """Nothing is under way any more: what was held back has reached the target by now."""
        self.wait_until(lambda: self._busy == 0, what="all requests have ended")

    # life

    def __enter__(self) -> LossyProxy:
        accepting = threading.Thread(target=self._accept, name="lossy proxy")
        self._threads.append(accepting)
        accepting.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.over.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._changed:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            threads = list(self._threads)
        for thread in threads:
            thread.join(TIMEOUT)
        left = [thread.name for thread in threads if thread.is_alive()]
        assert not left, f"threads of the proxy go on: {left}"
        if self._broken:
            raise self._broken[0]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with self._changed:
                if self.over.is_set():
                    connection.close()
                    return
                self.opened += 1
                self._open.add(connection)
                serving = threading.Thread(
                    target=self._serve, args=(connection, self.opened), name=f"lossy proxy, connection {self.opened}"
                )
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                self._threads.append(serving)
                serving.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            # the client may have had enough, or the target be away: then the connection ends, and that is all
            with connection, connection.makefile("rb") as reader, contextlib.suppress(OSError, Over):
                while (request := _read(reader, number, self._prefix)) is not None:
                    if not self._exchange(connection, *request):
                        return
        except BaseException as error:
            self._broken.append(error)
        finally:
            with self._changed:
                self._open.discard(connection)
                self._changed.notify_all()

    def _exchange(self, connection: socket.socket, head: bytes, seen: Seen) -> bool:
        """Whether the connection is to be kept."""
        with self._under_way(seen) as fault:
            exchange = Exchange(self, connection, head, seen)
            fault(exchange)
        return exchange.keep

    @contextlib.contextmanager
    def _under_way(self, seen: Seen) -> Iterator[Fault]:
        with self._changed:
            seen.fault, fault = self._choose(str(seen))
            self.seen.append(seen)
            self._busy += 1
        try:
            yield fault
        finally:
            with self._changed:
                seen.ended = time.monotonic()
                self._busy -= 1
                self._changed.notify_all()

    def _choose(self, request: str) -> tuple[str, Fault]:
        for rule in self._rules:
            if rule.after and not any(re.fullmatch(rule.after, str(seen)) for seen in self.seen):
                continue
            if rule.times != 0 and rule.pattern.fullmatch(request):
                rule.times = None if rule.times is None else rule.times - 1
                return rule.name, rule.fault
        if self._lottery:
            self._drawn = self._drawn or self.random.sample(self._lottery, len(self._lottery))
            if name := self._drawn.pop():
                return name, self._kinds[name]
        return "", lambda exchange: exchange.answer(exchange.forward())


def _read(reader: BinaryIO, number: int, prefix: str) -> tuple[bytes, Seen] | None:
    """(head, request) of the next request on a connection; None where the client has closed it."""
    lines: list[bytes] = []
    while (line := reader.readline()) not in (b"\r\n", b""):
        lines.append(line)
    if not lines or not line:
        return None
    method, asked, _ = lines[0].decode("latin-1").split(" ")
    assert asked.startswith(f"{prefix}/"), "the bridge keeps to the address it was given"
    lines[0] = lines[0].replace(prefix.encode(), b"", 1)
    headers = {name.strip().lower(): value.strip() for name, _, value in (row.partition(b":") for row in lines[1:])}
    assert b"transfer-encoding" not in headers, "the bridge says how long a request is"
    body = reader.read(int(headers.get(b"content-length", 0)))
    return b"".join(lines), Seen(method, urlsplit(asked).path.removeprefix(prefix), body, number)
