"""A small server on this machine that stands in for what is not Airflow: who gives out tokens, AWS, Google."""

from __future__ import annotations

import json
import logging
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: str

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body, keep_blank_values=True).items()}


@dataclass(frozen=True)
class Reply:
    body: Any = field(default_factory=dict)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


class Loopback:
    """`answer` may be exchanged at any time; `asked` is all that came in."""

    def __init__(self, answer: Callable[[Asked], Reply], url: str) -> None:
        self.answer = answer
        self.url = url
        self.asked: list[Asked] = []

    def to(self, pattern: str) -> list[Asked]:
        return [asked for asked in self.asked if re.fullmatch(pattern, f"{asked.method} {asked.path}")]


@contextmanager
def loopback(answer: Callable[[Asked], Reply], *, tls: ssl.SSLContext | None = None) -> Iterator[Loopback]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
            lower = {name.lower(): value for name, value in self.headers.items()}
            server.asked.append(asked := Asked(self.command, self.path, lower, body))
            told = server.answer(asked)
            text = told.body if isinstance(told.body, str) else json.dumps(told.body)
            self.send_response(told.status)
            kind = "text/plain" if isinstance(told.body, str) else "application/json"
            for name, value in {"Content-Type": kind, **told.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """A client that hangs up, as one does that finds a certificate of strangers."""

    listening = Server(("127.0.0.1", 0), Handler)
    if tls:
        # the handshake on the thread of the connection, not on the one that accepts
        listening.socket = tls.wrap_socket(listening.socket, server_side=True, do_handshake_on_connect=False)
    server = Loopback(answer, f"{'https' if tls else 'http'}://127.0.0.1:{listening.server_port}")
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


def log_everything(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever any library has to say, down to DEBUG."""
    caplog.set_level(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        caplog.set_level(logging.DEBUG, logger=name)
