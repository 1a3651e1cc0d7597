"""The fake's server: a socket that stays reserved through outages, threads, failures on request."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from types import TracebackType
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from airflow_bridge.fake import dags, people, routing  # noqa: F401
from airflow_bridge.fake.answers import as_bytes
from airflow_bridge.fake.state import FakeUser, Request, State

Mode = Literal["500", "502", "503", "504", "429", "401", "html", "garbage", "ignore", "drop", "close", "hang"]
STATUSES = {"500", "502", "503", "504", "429"}


@dataclass
class _Failure:
    pattern: re.Pattern[str]
    mode: Mode
    times: int
    retry_after: str | None
    seconds: float


class FakeAirflow:
    """`state` may be read and changed freely between requests; `lock` keeps requests out meanwhile.

    requests: all that came in, in order, those that were made to fail included.
    """

    def __init__(self, *, admin: tuple[str, str] = ("admin", "admin-password")) -> None:
        self.admin = admin
        self.state = State(admin)
        self.lock = threading.RLock()
        self.requests: list[Request] = []
        self._failures: list[_Failure] = []
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._reserved = _reserve(0)
        self.port: int = self._reserved.getsockname()[1]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    # life

    def start(self) -> None:
        """Answer from now on; under the same address after every stop."""
        if self._server is None:
            self._stopping.clear()
            self._server = _Server(self, self._reserved)
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close every connection and refuse new ones, as when the machine's Airflow is down. State is kept."""
        if self._server is not None:
            server, self._server = self._server, None
            self._stopping.set()
            server.shutdown()
            server.server_close()
            server.drop_connections()
            self._reserved = _reserve(self.port)

    def close(self) -> None:
        """Stop for good and give the port back."""
        self.stop()
        self._reserved.close()

    def __enter__(self) -> FakeAirflow:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # knobs

    def fail_next(
        self, pattern: str, mode: Mode, *, times: int = 1, retry_after: str | None = None, seconds: float = 30
    ) -> None:
        """Make the next `times` requests fail whose "METHOD /path" matches `pattern` (a regular expression, whole).

        500 502 503 504 429   answer so without doing it, with Retry-After where given
        401                   the token counts as expired
        html, garbage         200 with a web page, or with JSON that is none
        ignore                200 as if it were done, but nothing is
        drop                  do it, then close the connection without an answer
        close                 close the connection without doing it
        hang                  neither do it nor answer for `seconds`, or until stop()
        """
        with self.lock:
            self._failures.append(_Failure(re.compile(pattern), mode, times, retry_after, seconds))

    def calls(self, pattern: str) -> list[Request]:
        """The requests so far whose "METHOD /path" matches `pattern` (whole)."""
        with self.lock:
            return [request for request in self.requests if re.fullmatch(pattern, str(request))]

    def add_user(
        self, username: str, *, password: str = "", roles: Iterable[str] = ("Viewer",), email: str = ""
    ) -> FakeUser:
        with self.lock:
            user = FakeUser(username, email or f"{username}@example.com", password, list(roles))
            self.state.users[username] = user
            return user

    def roles_of(self, username: str) -> set[str]:
        with self.lock:
            return set(self.state.users[username].roles)

    def set_run_states(self, state: str, *, dag_run_id: str | None = None) -> None:
        """Let time pass: move all unfinished runs, or the one given, to `state`. Runs of paused DAGs stay queued."""
        now = datetime.now(UTC)
        with self.lock:
            for run in self.state.runs:
                given = dag_run_id in (None, run.dag_run_id)
                if not given or run.ended_at or self.state.dags[run.dag_id].paused:
                    continue
                run.state = state
                run.started_at = None if state == "queued" else run.started_at or now
                run.ended_at = now if state in ("success", "failed") else None

    def invalidate_tokens(self) -> None:
        with self.lock:
            self.state.invalidate_tokens()

    def expire_tokens(self) -> None:
        with self.lock:
            self.state.expire_tokens()

    # one request

    def answer(self, request: Request, token: str) -> _Reply | None:
        """None: close the connection."""
        with self.lock:
            user, expired = self.state.holder(token)
            request = Request(request.method, request.path, request.query, request.body, user.username if user else "")
            self.requests.append(request)
            failure = self._failure(request)
            if failure is None:
                return _Reply(*routing.answer(self.state, request, user, expired, token))
            if failure.mode == "drop":
                routing.answer(self.state, request, user, expired, token)
                return None
            if failure.mode == "ignore":
                return _Reply(*self._unchanged(request, user, expired, token))
        if failure.mode == "close":
            return None
        if failure.mode == "hang":
            self._stopping.wait(failure.seconds)
            return None
        headers = {"Retry-After": failure.retry_after} if failure.retry_after else {}
        if failure.mode == "401":
            return _Reply(401, {"detail": "Token Expired"}, headers)
        if failure.mode == "garbage":
            return _Reply(200, {"unexpected": True}, headers)
        page = "<html><body>Something in front of Airflow</body></html>"
        return _Reply(int(failure.mode) if failure.mode in STATUSES else 200, page, headers)

    def _failure(self, request: Request) -> _Failure | None:
        for failure in self._failures:
            if failure.times and failure.pattern.fullmatch(str(request)):
                failure.times -= 1
                return failure
        return None

    def _unchanged(self, request: Request, user: FakeUser | None, expired: bool, token: str) -> tuple[int, Any]:
        """The answer of an Airflow that says 200 and swallows an error on its way to the database."""
        if request.method != "PATCH":
            raise ValueError("only a PATCH can be ignored: its answer is that of a read")
        path = f"{request.path}/details" if request.path.startswith("/api/v2/dags/") else request.path
        read = Request("GET", path, {}, None, request.account)
        return routing.answer(self.state, read, user, expired, token)


@dataclass
class _Reply:
    status: int
    body: Any
    headers: dict[str, str] | None = None


def _reserve(port: int) -> socket.socket:
    """A socket that holds the port but does not listen: connections are refused, and nobody else gets it."""
    held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(("127.0.0.1", port))
    return held


class _Server(ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, fake: FakeAirflow, listening: socket.socket) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.fake = fake
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
    server: _Server

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), body, "")
        reply = self.server.fake.answer(request, token)
        if reply is None:
            self.close_connection = True
            return
        kind, data = as_bytes(reply.body)
        self.send_response(reply.status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(reply.headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        """`requests` is the log."""
