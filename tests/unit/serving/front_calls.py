"""Callers of a front, and the application behind it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any

from portal.core.peers import Proxies
from portal.serving.front.app import Front, Limits

TIMEOUT = 30
Message = dict[str, Any]


class Call:
    """One call to a front. `body`: the parts that arrive; the connection stays open after them.

    taken: pieces of the answer that the caller takes; the next one waits for ever.
    """

    def __init__(
        self, method: str, path: str, *, body: list[bytes] | None = None, complete: bool = True, taken: int = 1000,
        headers: list[tuple[bytes, bytes]] | None = None, peer: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        parts = [b""] if body is None else body  # servers say that there is no body
        announced = [(b"transfer-encoding", b"chunked")] if body is not None else []
        raw, _, query = path.partition("?")
        self.scope = {
            "type": "http", "method": method, "path": raw, "raw_path": raw.encode(), "query_string": query.encode(),
            "scheme": "http", "http_version": "1.1", "server": ("127.0.0.1", "8000"), "client": (peer, "4711"),
            "headers": announced + (headers or []),
        }  # fmt: skip
        self._parts = [
            {"type": "http.request", "body": part, "more_body": not complete or number < len(parts)}
            for number, part in enumerate(parts, start=1)
        ]
        self._taken = taken
        self.left = asyncio.Event()
        self.status = 0
        self.sent: dict[str, str] = {}
        self.body = b""
        self.complete = False

    async def receive(self) -> Message:
        if self._parts:
            return self._parts.pop(0)
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.sent = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        if self._taken == 0:
            await asyncio.Event().wait()
        self._taken -= 1
        self.body += message["body"]
        self.complete = not message["more_body"]

    async def through(self, front: Front) -> Call:
        await front(self.scope, self.receive, self.send)
        return self


class Application:
    """Notes the environments it was called with; gives `parts`, or what stands at a path."""

    def __init__(self, parts: Callable[[], Iterable[bytes]] = lambda: iter([b"hello"])) -> None:
        self.parts = parts
        self.seen: list[dict[str, Any]] = []
        self.read: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen.append(environ)
        self.read.append(environ["wsgi.input"].read())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return self.parts()


def front(
    application: Any = None, *, threads: int = 2, known: bool = True, limits: Limits | None = None, **more: Any
) -> Front:
    known_by = more.pop("known_by", lambda environ: known)
    proxies = more.pop("proxies", Proxies())
    return Front(application or Application(), threads=threads, known=known_by, proxies=proxies, limits=limits)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def within() -> None:
        async with asyncio.timeout(TIMEOUT):
            await scenario()

    asyncio.run(within())


async def settle() -> None:
    """Let everything that can go on do so."""
    for _ in range(50):
        await asyncio.sleep(0)


def long_answer(pieces: int, closed: list[str] | None = None) -> Callable[[], Iterator[bytes]]:
    def parts() -> Iterator[bytes]:
        try:
            for number in range(pieces):
                yield bytes([number % 256]) * 300_000
        finally:
            if closed is not None:
                closed.append(threading.current_thread().name)

    return parts
