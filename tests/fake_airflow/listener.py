"""The fake's socket: threads, connections that can be cut, a port that stays reserved through outages."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fake_airflow.replies import Reply
from tests.fake_airflow.rows import AND, NOT_JSON, Request
from tests.fake_airflow.v2.waiting import Looks

WORTH_PACKING = 1024  # bytes
Answer = Callable[[Request], "Reply | Half | None"]


class Half:
    """The first half of an answer, and no more."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply


def reserve(port: int) -> socket.socket:
    """A socket that holds the port but does not listen: connections are refused, and nobody else gets it."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class Listener(ThreadingTCPServer):
    """answer: what to say, None to close the connection. packs, keeps: gzip, and connections that stay open."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, answer: Answer, listening: socket.socket, *, packs: bool, keeps: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.answer = answer
        self.packs = packs
        self.keeps = keeps
        self._open: set[socket.socket] = set()
        self.server_activate()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is none of the fake's business; anything else is a fault in the fake."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def drop_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Listener

    def do_GET(self) -> None:
        reply = self.server.answer(self._request())
        if reply is None:
            self.close_connection = True
        elif isinstance(reply, Half):
            self._send(reply.reply, half=True)
            self.close_connection = True
        else:
            self._send(reply)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query: dict[str, str] = {}
        for name, value in parse_qsl(parts.query):
            query[name] = f"{query[name]}{AND}{value}" if name in query else value
        return Request(
            self.command,
            parts.path,
            query,
            _parsed(content),
            account="",
            accept=self.headers.get("Accept", ""),
            authorization=self.headers.get("Authorization", ""),
        )

    def _begin(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        if "Date" not in reply.headers:
            self.send_header("Date", self.date_time_string())

    def _send_pieces(self, reply: Reply, pieces: Iterable[bytes]) -> None:
        self._begin(reply)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in pieces:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _send(self, reply: Reply, *, half: bool = False) -> None:
        if isinstance(reply.body, Looks):
            self._send_pieces(reply, reply.body)
            return
        data = reply.content
        self._begin(reply)
        if reply.kind:
            self.send_header("Content-Type", reply.kind)
        if self.server.packs and len(data) >= WORTH_PACKING and "gzip" in self.headers.get("Accept-Encoding", ""):
            data = gzip.compress(data, compresslevel=5)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Vary", "Accept-Encoding")
        if reply.status != 204:
            self.send_header("Content-Length", str(len(data)))
        if not self.server.keeps:
            self.send_header("Connection", "close")
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if half else data)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """`requests` is the log."""


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return NOT_JSON
