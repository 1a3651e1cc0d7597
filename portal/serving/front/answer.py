"""A WSGI application's answer, read in pieces, each in a thread. Between two pieces no thread is held.

An iterator over an answer must therefore not keep open anything that belongs to a thread, such as a database cursor.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import close_old_connections

PIECE = 256 * 1024  # bytes that are collected before they are sent

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Answer:
    """One answer. `begin` and `more` are called one after the other, in any thread; `close` at any time."""

    code = 500
    headers: list[tuple[bytes, bytes]] = []

    def __init__(self, application: Application, environ: dict[str, Any]) -> None:
        self._application = application
        self._environ = environ
        self._parts: Iterator[bytes] = iter(())
        self._close: Callable[[], None] = lambda: None
        self._turn = threading.Lock()
        self._left = False
        self.is_open = False
        """Whether the application may have more pieces, or something to close."""

    def begin(self) -> tuple[bytes, bool]:
        """Call the application. Returns the first piece, and whether more may follow. Sets `code` and `headers`."""
        return self._made(self._begin)

    def more(self) -> tuple[bytes, bool]:
        """Return the next piece, and whether more may follow."""
        try:
            return self._made(self._gathered)
        finally:
            close_old_connections()

    def leave(self) -> None:
        """The caller has gone. The piece that is being made, or that begins now, is the last one."""
        self._left = True

    def close(self) -> None:
        """Tell the application that nobody reads the rest: now, or after the piece that is being made."""
        self.leave()
        if self._turn.acquire(blocking=False):
            try:
                self._end()
            finally:
                self._turn.release()

    def _made(self, make: Callable[[], tuple[bytes, bool]]) -> tuple[bytes, bool]:
        try:
            with self._turn:
                try:
                    piece, more = make()
                except BaseException:
                    self._end()
                    raise
                if not more:
                    self._end()
                return piece, more
        finally:
            if self._left:  # `close` was called while this piece was made
                self.close()

    def _end(self) -> None:
        self.is_open = False
        close, self._close = self._close, lambda: None
        close()

    def _begin(self) -> tuple[bytes, bool]:
        self.is_open = True
        result = self._application(self._environ, self._started)
        self._close = getattr(result, "close", self._close)
        self._parts = iter(result)
        return self._gathered()

    def _gathered(self) -> tuple[bytes, bool]:
        gathered, size = [], 0
        for part in self._parts:
            gathered.append(part)
            size += len(part)
            if size >= PIECE:
                return b"".join(gathered), True
        return b"".join(gathered), False

    def _started(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], None]:
        self.code = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        return _write_is_not_supported


def _write_is_not_supported(data: bytes) -> None:
    raise NotImplementedError("applications return their body as an iterable")


def refusal(path: str, status: int, title: str, detail: str, reason: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a refusal by the front: a problem document (RFC 9457) for programs, text for people."""
    if path.startswith("/api/"):
        kind = b"application/problem+json"
        problem = {"type": f"urn:gatehouse:problem:{reason}", "title": title, "status": status}
        text = json.dumps({**problem, "detail": detail, "reason": reason})
    else:
        kind, text = b"text/plain; charset=utf-8", f"{title}. {detail}\n"
    body = text.encode()
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    return [*headers, (b"retry-after", b"5")] if reason == "busy" else headers, body
