"""A stand-in for Airflow that answers quicker than any client asks, so that a measurement is the client's own time.

    python -m benchmarks.stand_in LATENCY USERS DAGS

LATENCY is in seconds, added to every answer. Prints its address, serves both APIs there and ends with its standard
input. Rows are those of the verified fake, numbered; pages are packed once and kept. GET /requests says how many
requests came in since it was last asked.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import sys
import threading
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmarks.clients.timed import ACCOUNT
from tests.fake_airflow import FakeAirflow
from tests.fake_airflow.rows import Request

LISTS = {"/api/v1/users": "users", "/auth/fab/v1/users": "users", "/api/v2/dags": "dags"}
ONE = re.compile(r"/api/v2/dags/(?P<name>[^/]+)/details")
LIMIT = 100  # as of Airflow itself


class Pages:
    """What is answered. counts: how many rows each list has."""

    def __init__(self, counts: dict[str, int]) -> None:
        self._counts = counts
        self._fakes = {"2": FakeAirflow(release="2.11.2", admin=ACCOUNT), "3": FakeAirflow(admin=ACCOUNT)}
        for fake in self._fakes.values():
            fake.add_users(1)
            fake.add_dags(1)
        self.answer = cache(self._answer)

    def _answer(self, method: str, target: str, authorization: str, content: bytes) -> bytes:
        """A whole HTTP answer."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        old = parts.path.startswith("/api/v1/")
        if key := LISTS.get(parts.path):
            offset, limit = int(query.get("offset", 0)), min(int(query.get("limit", LIMIT)), LIMIT)
            return _http(self._page(parts.path, key, authorization, offset, limit), old=old)
        if found := ONE.fullmatch(parts.path):
            row = self._ask("GET", "/api/v2/dags/dag_00000/details", authorization)
            return _http(_renamed(row, "dag_00000", found["name"]), old=old)
        body = json.loads(content) if content else None
        return _http(self._ask(method, parts.path, authorization, body), old=old)

    def _page(self, path: str, key: str, authorization: str, offset: int, limit: int) -> dict[str, Any]:
        name = {"users": "person", "dags": "dag"}[key]
        row = self._row(path, key, f"{name}_00000", authorization)
        numbers = range(offset, min(offset + limit, self._counts[key]))
        rows = [_renamed(row, f"{name}_00000", f"{name}_{number:05}") for number in numbers]
        return {key: rows, "total_entries": self._counts[key]}

    def _row(self, path: str, key: str, name: str, authorization: str) -> Any:
        return next(row for row in self._ask("GET", path, authorization)[key] if name in row.values())

    def _ask(self, method: str, path: str, authorization: str, body: Any = None) -> Any:
        fake = self._fakes["2" if path.startswith("/api/v1/") else "3"]
        reply = fake.answer(Request(method, path, {}, body, account="", authorization=authorization))
        content = getattr(reply, "content", b"")
        if not 200 <= getattr(reply, "status", 0) < 300:
            raise ValueError(f"the fake does not answer {method} {path}: {content!r}")
        return json.loads(content)


def _renamed(row: Any, old: str, new: str) -> Any:
    return json.loads(json.dumps(row).replace(old, new))


def _http(body: Any, *, old: bool) -> bytes:
    """Airflow 3 packs what is longer than a kilobyte; Airflow 2 does not, and closes the connection."""
    data = json.dumps(body, separators=(",", ":")).encode()
    headers = ["HTTP/1.1 200 OK", "Content-Type: application/json"]
    if old:
        headers.append("Connection: close")
    elif len(data) >= 1024:
        data = gzip.compress(data, 5, mtime=0)
        headers.append("Content-Encoding: gzip")
    return "\r\n".join([*headers, f"Content-Length: {len(data)}", "", ""]).encode() + data


class Connection(asyncio.Protocol):
    requests = 0

    def __init__(self, pages: Pages, latency: float) -> None:
        self._pages = pages
        self._latency = latency
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", 0))
        if not end or len(rest) < length:
            return
        self._received = rest[length:]
        method, target, _ = first.split(" ")
        if target == "/requests":
            count, Connection.requests = Connection.requests, 0
            self._transport.write(_http({"requests": count}, old=False))
            return
        Connection.requests += 1
        answer = self._pages.answer(method, target, headers.get("authorization", ""), rest[:length])
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._send, answer)
        else:
            self._send(answer)

    def _send(self, answer: bytes) -> None:
        self._transport.write(answer)
        if b"\r\nConnection: close\r\n" in answer[:200]:
            self._transport.close()


async def serve(latency: float, counts: dict[str, int]) -> None:
    pages, loop, over = Pages(counts), asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Connection(pages, latency), "127.0.0.1", 0)
    sys.stdout.write(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()

    def until_the_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(over.set)

    threading.Thread(target=until_the_end, daemon=True).start()
    await over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]), {"users": int(sys.argv[2]), "dags": int(sys.argv[3])}))
